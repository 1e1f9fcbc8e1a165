"""Kinds of statements and of their parts, as the engine's tree names them, by who may use them."""

from typing import Final

READER_KINDS: Final = frozenset(
    {
        "CheckGrantQuery",
        "CreateQuery",  # a temporary table
        "DescribeQuery",
        "DropQuery",  # the same: the reader's role can drop nothing else
        "ExistsDatabaseQuery",
        "ExistsDictionaryQuery",
        "ExistsTableQuery",
        "ExistsViewQuery",
        "Explain",
        "InsertQuery",  # the same
        "SelectIntersectExceptQuery",
        "SelectWithUnionQuery",
        "Set",
        "ShowColumns",
        "ShowCreateDatabaseQuery",
        "ShowCreateTableQuery",
        "ShowCreateViewQuery",
        "ShowEngineQuery",
        "ShowFunctions",
        "ShowGrantsQuery",
        "ShowIndexes",
        "ShowSetting",
        "ShowTables",
        "TruncateQuery",  # the same
        "UseQuery",
    }
)
WRITER_KINDS: Final = READER_KINDS | {
    "AlterQuery",
    "CheckQuery",
    "DeleteQuery",
    "KillQueryQuery",
    "OptimizeQuery",
    "Rename",
    "ShowProcesslistQuery",
    "SYSTEM",
    "UndropQuery",
    "UpdateQuery",
}
# What a statement of a reader may be made of. A part of a later engine is refused until it is added here.
READER_PARTS: Final = frozenset(
    {
        "ASTObjectTypeArgument",
        "ArrayJoin",
        "Asterisk",
        "ColumnDeclaration",
        "Columns definition",
        "ColumnsApplyTransformer",
        "ColumnsExceptTransformer",
        "ColumnsListMatcher",
        "ColumnsRegexpMatcher",
        "ColumnsReplaceTransformer",
        "ColumnsReplaceTransformer::Replacement",
        "ColumnsTransformerList",
        "Constraint",
        "DataType",
        "EnumDataType",
        "ExpressionList",
        "Function",
        "Identifier",
        "Index",
        "InterpolateElement",
        "Literal",
        "NameTypePair",
        "ObjectTypedPath",
        "OrderByElement",
        "QualifiedAsterisk",
        "QualifiedColumnsListMatcher",
        "QualifiedColumnsRegexpMatcher",
        "QueryParameter",
        "SampleRatio",
        "SelectQuery",
        "StorageOrderByElement",
        "Storage definition",
        "Subquery",
        "TableExpression",
        "TableIdentifier",
        "TableJoin",
        "TablesInSelectQuery",
        "TablesInSelectQueryElement",
        "TupleDataType",
        "WindowDefinition",
        "WindowListElement",
        "WithElement",
    }
)
