"""python train.py -m seed=1,2,3 launch=local launch.processes=2"""

from cn.launching.launch import local


class Local(local.Local):
    """This machine; each trial on GPUs of its own while there are any."""
