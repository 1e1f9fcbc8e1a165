from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.domain.tree import nodes


def test_a_tree_is_read_with_the_way_up() -> None:
    tree = "A (children 2)\n B x (alias y) (children 1)\n  Columns definition (children 1)\n C\n"
    found = list(nodes(tree))
    assert [(node.kind, node.name, node.parent_kind) for node in found] == [
        ("A", "", ""),
        ("B", "x", "A"),
        ("Columns definition", "", "B"),
        ("C", "", "A"),
    ]
    assert found[2].above == found[1]


def test_only_a_line_end_ends_a_line() -> None:
    assert [node.kind for node in nodes("Literal 'a\x85Function file\u2028Function url'")] == ["Literal"]


@given(st.lists(st.integers(min_value=0, max_value=6), max_size=50))
def test_the_node_above_is_the_last_one_that_is_less_deep(depths: list[int]) -> None:
    tree = "\n".join(f"{' ' * depth}N {number}" for number, depth in enumerate(depths))
    for number, node in enumerate(nodes(tree)):
        above = [at for at in range(number) if depths[at] < depths[number]]
        last = next((at for at in reversed(above) if min(depths[at:number]) == depths[at]), None)
        assert (node.above.name if node.above else None) == (None if last is None else str(last))
