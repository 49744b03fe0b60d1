"""Recovery objectives in the record: measured, wanted, and the time by its phases."""

from __future__ import annotations

from reports.part import Part


class Objectives(Part):
    """Recovery time and recovery point, measured and wanted; the time also by its phases.

    rpo_s is how old the backup was at most when the recovery began (at least, where that is more
    than the target; absent where what it says of itself proves neither), newest_row_s the age of
    its newest row.
    """

    rto_s: float | None = None
    rto_target_s: float | None = None
    rpo_s: float | None = None
    rpo_target_s: float | None = None
    fetch_s: float | None = None
    proof_s: float | None = None
    restore_s: float | None = None
    migrate_s: float | None = None
    boot_s: float | None = None
    verified_s: float | None = None
    newest_row_s: float | None = None
