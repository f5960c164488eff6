"""Losses that a run can train with; each is called with the network's output and the labels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Taught(nn.Module):
    """Two networks on the same images; in evaluation only the student is asked."""

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Images `b c h w` to the student's logits `b k`; while training also the teacher's."""
        if not self.training:
            return self.student(images)
        return self.student(images), self.teacher(images)


class Distillation:
    """Both learn the labels, and the student also the teacher's softened distribution.

    Anil et al. 2018, arXiv:1804.03235 (both train at once); Hinton et al. 2015, arXiv:1503.02531, section 2
    (temperature, and its square, which keeps the gradient's size).
    """

    def __init__(self, *, weight: float, temperature: float, label_smoothing: float) -> None:
        self.weight, self.temperature, self.label_smoothing = weight, temperature, label_smoothing

    def __call__(self, output: tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
        student, teacher = output
        t = self.temperature
        hard = F.cross_entropy(student, labels, label_smoothing=self.label_smoothing)
        taught = F.cross_entropy(teacher, labels, label_smoothing=self.label_smoothing)
        soft = F.kl_div(
            F.log_softmax(student / t, dim=1),
            F.log_softmax(teacher.detach() / t, dim=1),
            log_target=True,
            reduction="batchmean",
        )
        return taught + (1 - self.weight) * hard + self.weight * t * t * soft
