"""What requests reserve and use of quotas, by the weight and the price of their model; whole numbers."""

from typing import Final

from services.kernel.catalog import Model, Price
from services.router.domain.amount import Amount
from services.router.domain.sizing import Size

_PERMILLE: Final = 1000


def weighted_tokens(model: Model, tokens: int) -> int:
    """Returns tokens as quotas count them, rounded up."""
    return -(-tokens * model.weight_permille // _PERMILLE)


def reserved(model: Model, size: Size) -> Amount:
    """Returns the most that a request of a size can use."""
    tokens = weighted_tokens(model, size.reserved_tokens)
    return Amount(tokens, 0 if model.price is None else _most_nanos(model.price, size))


def permitted(model: Model, tokens: int) -> Amount:
    """Returns the most that can be used of a ticket of which it is not known how much may be output."""
    price = model.price
    nanos = 0 if price is None else tokens * max(_input_nanos(price), price.output_nanos)
    return Amount(weighted_tokens(model, tokens), nanos)


def used(model: Model, input_tokens: int, cached_input_tokens: int, output_tokens: int) -> Amount:
    """Returns what a request has used; cached tokens are of those of the input."""
    tokens, price = weighted_tokens(model, input_tokens + output_tokens), model.price
    if price is None:
        return Amount(tokens)
    cached_tokens = min(cached_input_tokens, input_tokens)
    input_nanos = (input_tokens - cached_tokens) * price.input_nanos
    cached_nanos, output_nanos = cached_tokens * price.cached_input_nanos, output_tokens * price.output_nanos
    return Amount(tokens, input_nanos + cached_nanos + output_nanos)


def _most_nanos(price: Price, size: Size) -> int:
    """Returns the price of the dearest request of a size: input and output share the context."""
    further_tokens = (size.choices - 1) * size.output_tokens
    context_tokens, input_nanos = size.context_tokens, _input_nanos(price)
    if price.output_nanos >= input_nanos:
        output_tokens = min(size.output_tokens, context_tokens)
        input_tokens = min(size.input_tokens, context_tokens - output_tokens)
    else:
        input_tokens = min(size.input_tokens, context_tokens)
        output_tokens = min(size.output_tokens, context_tokens - input_tokens)
    return input_tokens * input_nanos + (output_tokens + further_tokens) * price.output_nanos


def _input_nanos(price: Price) -> int:
    return max(price.input_nanos, price.cached_input_nanos)
