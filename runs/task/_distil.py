"""Distillation: a student that learns from labels and from a teacher. b examples, k classes."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from runs.task._classify import Classification, Examples
from runs.task._objective import Network


class Taught(nn.Module):
    """Two networks on the same examples; in eval mode only the student runs."""

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """Return the networks, each with a head of its own."""
        return self.student, self.teacher

    def forward(self, examples: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map examples `b ...` to the student's logits `b k`; in training mode also the teacher's."""
        if not self.training:
            return self.student(examples)
        return self.student(examples), self.teacher(examples)


class Distillation(Classification):
    """Both learn the labels, and the student also the teacher's softened distribution.

    Anil et al. 2018, arXiv:1804.03235 (both train at once); Hinton et al. 2015, arXiv:1503.02531, section 2
    (temperature, and its square, which keeps the gradient's size).
    """

    def __init__(self, network: Taught, *, weight: float, temperature: float, **facts: Any) -> None:
        super().__init__(network, **facts)
        self.weight, self.temperature = weight, temperature

    def loss(self, network: Network, batch: Examples) -> dict[str, Tensor]:
        examples, entropy = self.prepared(batch)
        student, teacher = network(examples)
        t = self.temperature
        hard = entropy(student)
        taught = entropy(teacher)
        soft = (
            t
            * t
            * F.kl_div(
                F.log_softmax(student / t, dim=1),
                F.log_softmax(teacher.detach() / t, dim=1),
                log_target=True,
                reduction="batchmean",
            )
        )
        loss = taught + (1 - self.weight) * hard + self.weight * soft
        return {"loss": loss, "student_loss": hard, "teacher_loss": taught, "distance": soft}
