"""Networks; `models/vit.py` is chosen by `model=vit`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cn import CN, UserError, instantiate
from models._fields import Probability, Size, divisible
from models.attention import Attention
from models.attention.plain import Plain

if TYPE_CHECKING:
    from torch import nn

    from models._transformer import LanguageModel


class Model(CN):
    """The base class of models; their sizes come from the data.

    A node that names its target in `_target_` and holds the target's arguments as fields needs no code. Its sizes are
    then
    fields, and are checked against the data before the first step.
    """

    _needs: ClassVar[tuple[str, ...]] = ()  # per example, pixel of an image or token
    _gives: ClassVar[Literal["numbers", "maps", "tokens"]] = "numbers"  # for each example, pixel of an image or token

    def packages(self) -> tuple[str, ...]:
        """Return the packages that `build` imports and a plain installation lacks; the extra `hub` installs them."""
        return ()

    def build(self, *, inputs: Any, classes: int) -> nn.Module:
        """Return a network from examples `b ...` to `b classes`, or to `b classes h w` for maps.

        inputs: the shape of one example: c h w of an image, f of a table's row. A model for images only declares
            `_needs = ("images",)`, and is refused for other data before the run begins.
        classes: number of outputs per example: one logit per class, or as the task requires.
        """
        return instantiate(self)


class Language(Model):
    """The base class of language models: a vector for each token, and from it logits over the vocabulary.

    `python train.py ... init=FILE` starts from weights that Hugging Face publishes for its family.
    """

    d_model: Size  # channels, the width; a multiple of heads
    heads: Size  # of attention; they share d_model
    layers: Size  # blocks
    feed_forward: Size  # channels of the layer on each token alone, inside a block
    length: Size  # tokens, of the longest sequence: each place has a learnt vector
    vocabulary: Size | None  # tokens that have logits, at least those of the data; null: as many as the data have
    dropout: Probability = 0.1  # of the embeddings, the attention's weights and what leaves each layer
    attention: Attention = Plain()  # how tokens attend to each other

    _needs = ("tokens",)
    _gives = "tokens"
    _causal: ClassVar[bool]  # whether a token attends only to earlier ones

    def check(self) -> None:
        divisible("heads", self.heads, d_model=self.d_model)
        self.attention.fit(heads=self.heads)

    def build(self, *, inputs: tuple[int], classes: int) -> LanguageModel:
        """Return a network from tokens `b n` to vectors `b n d`, with `logits` from these to `b n v`.

        inputs: n, the tokens of one example. classes: number of tokens of the data's tokenizer.
        """
        name = type(self).__name__
        if inputs[0] > self.length:
            raise UserError(
                f"{name}.length is {self.length}, shorter than an example of {inputs[0]} tokens: "
                f"the shortest that fits is length={inputs[0]}"
            )
        if self.vocabulary is not None and classes > self.vocabulary:
            raise UserError(
                f"{name}.vocabulary is {self.vocabulary}, fewer than the {classes} tokens of the data: "
                f"the fewest that fit are vocabulary={classes}, and vocabulary=null takes as many as there are"
            )
        return self.network()(
            vocabulary=classes if self.vocabulary is None else self.vocabulary,
            length=self.length,
            width=self.d_model,
            feed_forward=self.feed_forward,
            dropout=self.dropout,
            attentions=[
                self.attention.build(width=self.d_model, heads=self.heads, causal=self._causal, dropout=self.dropout)
                for _ in range(self.layers)
            ],
        )

    @abstractmethod
    def network(self) -> type[LanguageModel]:
        """Return the class of the family's networks."""
