"""Which process of a run this is, and where all of them meet, from the variables of torchrun and of SLURM."""

from __future__ import annotations

import pytest

from cn.launching.ranks import Place, first_node, output, which
from runs._processes.rendezvous import address


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, Place()),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}, Place(3, 4, 1)),
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1"}, Place(3, 4, 1)),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, Place()),
    ],
    ids=["alone", "torchrun", "srun", "a batch script"],
)
def test_which_process_it_is(environment, found):
    assert which(environment) == found


def test_where_the_processes_of_an_srun_meet():
    one = {"SLURM_JOB_ID": "12", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_NODES": "1", "SLURM_STEP_NODELIST": "n7"}
    assert address(one) == {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "15084"}
    two = {**one, "SLURM_STEP_NUM_NODES": "2", "SLURM_STEP_NODELIST": "n[07-08]"}
    assert address(two) == {"MASTER_ADDR": "n07", "MASTER_PORT": "15084"}


@pytest.mark.parametrize(
    ("names", "first"),
    [
        ("n1", "n1"),
        ("n1,m2", "n1"),
        ("n[03-07,9]", "n03"),
        ("a-[2,4]-ib,b", "a-2-ib"),
        ("gpu-a01,gpu-b[1-2]", "gpu-a01"),
    ],
)
def test_the_first_node_of_a_list(names, first):
    assert first_node(names) == first


def test_the_files_are_named_once(tmp_path):
    assert output(tmp_path, 2) == tmp_path / "rank2.txt"
