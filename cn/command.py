"""The name under which the program was started, for the commands that messages name."""

script = "train.py"
