"""Recovery objectives in the record: measured, wanted, and the time by its phases."""

from __future__ import annotations

from reports.part import Part


class Objectives(Part):
    """Recovery time and recovery point, measured and wanted; the time also by its phases.

    rpo_s is the age of the backup when the recovery began, newest_row_s that of its newest row.
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
