"""The body of a request for vectors by types, and what of it is known and not served."""

from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from services.edge.domain.openai.parameters import (
    ModelName,
    Neutral,
    TokenId,
)
from services.kernel.catalog import MAX_INPUTS

_ABSENT: Final = Neutral((), "absent")
_EMPTY: Final = Neutral(([], {}, "", 0, False), "absent or empty")
_ON: Final = Neutral((True,), "absent or true")
_Text: TypeAlias = Annotated[
    str,
    Meta(
        description="a string that is not empty, or a list of token ids of the model's own vocabulary, one "
        "at least (LangChain sends texts with check_embedding_ctx_length=False)"
    ),
]


class EmbeddingBody(Struct, frozen=True):
    """A request for vectors as it is sent."""

    model: ModelName | None = None
    input: (
        Annotated[
            str | list[_Text | TokenId | list[TokenId]],
            Meta(
                description="a string that is not empty, a list of token ids of the model, or a list of up "
                f"to {MAX_INPUTS} of either, whose vectors together have 16 MiB at most"
            ),
        ]
        | None
    ) = None
    encoding_format: Annotated[Literal["float", "base64"], Meta(description="float or base64")] | None = None
    dimensions: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=65536,
                description="as many numbers as a whole vector has, or as the model was trained to cut it to",
            ),
        ]
        | None
    ) = None


# vLLM's own, of which each would change the vectors, and what is not a text.
EMBEDDING_NEUTRAL: Final = MappingProxyType(
    {
        "add_generation_prompt": Neutral((True, False), "absent, true or false"),
        "add_special_tokens": _ON,
        "cache_salt": _EMPTY,
        "chat_template": _ABSENT,
        "chat_template_kwargs": Neutral(({},), "absent or empty"),
        "continue_final_message": Neutral((False,), "absent or false"),
        "embed_dtype": Neutral(("float32",), "absent or float32"),
        "endianness": Neutral(("native", "little"), "absent or little"),
        "messages": Neutral(([],), "absent or empty; texts are input here"),
        "normalize": _ON,
        "padding": Neutral(("do_not_pad",), "absent or do_not_pad"),
        "priority": Neutral((0,), "absent or 0"),
        "truncate_prompt_tokens": _ABSENT,
        "use_activation": _ON,
        # Of Cohere, Jina, NVIDIA, Voyage and TEI: what a text is for, and how it is cut.
        "embedding_types": Neutral((["float"], []), 'absent or ["float"]'),
        "input_type": _EMPTY,
        "instruction": _EMPTY,
        "late_chunking": Neutral((False,), "absent or false"),
        "output_dimension": Neutral((), "absent; it is dimensions here"),
        "output_dtype": Neutral(("float",), "absent or float"),
        "prompt_name": _EMPTY,
        "task": _EMPTY,
        "truncate": Neutral((False, "NONE"), "absent, false or NONE"),
    }
)
