"""slurm.conf and slurmdbd.conf of a cluster whose files all lie in one folder."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

NODES = ("n1", "n2")
GPUS = 4  # a node
CPUS = 32  # a node, as far as SLURM knows
MEMORY = 64000  # MB a node, likewise
PARTITIONS = ("low", "patient", "high")  # high preempts the others; patient sends SIGTERM 60 s before it does so

ENFORCED_MEMORY = {  # a job that takes more than its --mem is killed within seconds; without cgroups it ends as FAILED
    "JobAcctGatherType": "jobacct_gather/linux",
    "JobAcctGatherFrequency": "task=1",
    "JobAcctGatherParams": "OverMemoryKill",
}


def slurm_conf(folder: Path, ports: Mapping[str, int], changed: Mapping[str, object], *, accounting: bool) -> str:
    settings = {
        **slurm_settings(folder, ports),
        **(accounting_settings(folder, ports) if accounting else {}),
        **changed,
    }
    nodes = [
        f"NodeName={node} NodeAddr=127.0.0.1 Port={ports[node]} CPUs={CPUS} RealMemory={MEMORY} Gres=gpu:{GPUS}"
        for node in NODES
    ]
    every = "Nodes=ALL DefMemPerCPU=1000"
    partitions = [
        f"PartitionName=low {every} PriorityTier=1 Default=YES",
        f"PartitionName=patient {every} PriorityTier=1 GraceTime=60",
        f"PartitionName=high {every} PriorityTier=10 PreemptMode=OFF",
    ]
    return "\n".join([*lines(settings), *nodes, *partitions, ""])


def slurm_settings(folder: Path, ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "ClusterName": "test",
        "SlurmctldHost": f"{socket.gethostname().partition('.')[0]}(127.0.0.1)",
        "SlurmctldPort": ports["slurmctld"],
        "SlurmUser": "root",
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={folder}/munge.socket",
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "%n",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "%n.pid",
        "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "%n.log",
        "MailProg": "/bin/true",
        "MpiDefault": "none",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "SlurmdParameters": "config_overrides",  # the nodes are as large as written here
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU_Memory",
        "GresTypes": "gpu",
        "PreemptType": "preempt/partition_prio",
        "PreemptMode": "REQUEUE",
        "KillWait": 30,  # s from SIGTERM to SIGKILL, in which a job saves on a busy machine too
        "SlurmdTimeout": 300,  # s until a silent node is down, which a busy machine's may be for some
        "ReturnToService": 1,  # a node that was silent comes back by itself, one that was set down does not
        # looks for work whenever a job comes or goes, and each second (default: each minute, backfill each 30 s)
        "SchedulerParameters": "sched_interval=1,sched_min_interval=10000,batch_sched_delay=0,bf_interval=1",
    }


def accounting_settings(folder: Path, ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "AccountingStorageType": "accounting_storage/slurmdbd",
        "AccountingStorageHost": "localhost",
        "AccountingStoragePort": ports["slurmdbd"],
        "AccountingStoragePass": folder / "munge.socket",  # which munged to ask
        "AccountingStorageTRES": "gres/gpu",
        "JobAcctGatherType": "jobacct_gather/linux",
        "JobAcctGatherFrequency": 5,  # s
    }


def slurmdbd_conf(folder: Path, ports: Mapping[str, int]) -> str:
    settings = {
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={folder}/munge.socket",
        "DbdHost": "localhost",
        "DbdPort": ports["slurmdbd"],
        "SlurmUser": "root",
        "StorageType": "accounting_storage/mysql",
        "StorageHost": "localhost",  # the socket that MYSQL_UNIX_PORT names
        "StorageUser": "root",
        "LogFile": folder / "slurmdbd.log",
        "PidFile": folder / "slurmdbd.pid",
    }
    return "\n".join([*lines(settings), ""])


def lines(settings: Mapping[str, object]) -> list[str]:
    return [f"{name}={value}" for name, value in settings.items()]
