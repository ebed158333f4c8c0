"""The expectations that great-expectations does not have, named as the policy would say them.

Importing this module imports great-expectations (4.8 CPU s): only `expectations/gate.py` does, when it judges.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd
from great_expectations import expectations as gxe
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation, MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    MulticolumnMapMetricProvider,
    column_condition_partial,
    multicolumn_condition_partial,
)


class _DicomUids(ColumnMapMetricProvider):  # type: ignore[misc]  # untyped library
    condition_metric_name = "column_values.dicom_uid"

    @column_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]  # untyped library
    def _pandas(cls, column: Any, **_: Any) -> Any:  # noqa: N805 - the decorator makes it a class method
        text = column.astype(str)
        return text.str.fullmatch(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+") & (text.str.len() <= 64)


class ExpectColumnValuesToBeDicomUids(ColumnMapExpectation):  # type: ignore[misc]  # untyped library
    """Every value is a valid UID (PS3.5 9.1): components without leading zeros, at most 64 characters."""

    map_metric: ClassVar[str] = "column_values.dicom_uid"
    success_keys: ClassVar[tuple[str, ...]] = ("mostly",)


class _WithinBounds(MulticolumnMapMetricProvider):  # type: ignore[misc]  # untyped library
    condition_metric_name = "multicolumn_values.within_their_bounds"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]  # untyped library
    def _pandas(cls, column_list: Any, **_: Any) -> Any:  # noqa: N805 - the decorator makes it a class method
        value, low, high = (pd.to_numeric(column_list[name]).astype("float64") for name in ("value", "at_least", "at_most"))
        # A value that could not be measured, or one without any bound, is never within its bounds.
        return value.notna() & (low.notna() | high.notna()) & ~(value < low) & ~(value > high)


class ExpectMeasuresToStayWithinTheirBounds(MulticolumnMapExpectation):  # type: ignore[misc]  # untyped library
    """Every risk measure was measured and lies between its own two bounds."""

    map_metric: ClassVar[str] = "multicolumn_values.within_their_bounds"
    success_keys: ClassVar[tuple[str, ...]] = ()
    column_list: list[str] = ["value", "at_least", "at_most"]  # noqa: RUF012 - a pydantic field of the library
    ignore_row_if: str = "never"


class _CodesInclude(ColumnMapMetricProvider):  # type: ignore[misc]  # untyped library
    condition_metric_name = "column_values.include_code"
    condition_value_keys = ("code",)

    @column_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]  # untyped library
    def _pandas(cls, column: Any, code: str = "", **_: Any) -> Any:  # noqa: N805 - the decorator makes it a class method
        return column.map(lambda codes: codes is not None and code in list(codes)).astype(bool)


class ExpectDeidentificationCodeToBeDeclared(ColumnMapExpectation):  # type: ignore[misc]  # untyped library
    """Every object declares one code of CID 7050 in (0012,0064)."""

    map_metric: ClassVar[str] = "column_values.include_code"
    success_keys: ClassVar[tuple[str, ...]] = ("code", "mostly")
    code: str


class ExpectReceiptsToAddUp(gxe.ExpectColumnPairValuesToBeEqual):  # type: ignore[misc]  # untyped library
    """The outcomes of every receipt add up to the objects that the archive holds of that study."""

    column_A: str = "instance_count"  # noqa: N815 - a field of the library
    column_B: str = "outcome_count"  # noqa: N815 - a field of the library
    description: str = "Every receipt accounts for every object that the archive holds of its study"


class ExpectStudiesToBeWhole(gxe.ExpectColumnPairValuesToBeEqual):  # type: ignore[misc]  # untyped library
    """A study is in the candidate with every object that its receipt released, no more and no fewer."""

    column_A: str = "candidate_count"  # noqa: N815 - a field of the library
    column_B: str = "released_count"  # noqa: N815 - a field of the library
    description: str = "Every study in the candidate has exactly the objects that its receipt released"
