"""The report again: the page report/index.html from the tables as they are. Touches no image and no table."""

from dataclasses import asdict

from eoltag.errors import ExitCode
from eoltag.report import page_text
from eoltag.spark.report.page_data import ask_tables, write_report
from eoltag.spark.requests import ReportRequest
from eoltag.spark.runtime.command import show
from eoltag.spark.runtime.session import open_session, prepare_for
from eoltag.spark.tables.bundles import rows_at_most
from eoltag.spark.tables.lock import locked
from eoltag.spark.tables.output import open_output

__all__ = ["report_tags"]


def report_tags(request: ReportRequest) -> ExitCode:
    """Write the page. Raises UsageError."""
    output = open_output(open_session("eoltag report"), request.output)
    prepare_for(output.session, rows_at_most(output))
    with locked(output):
        page = write_report(output, ask_tables(output, request.tasks), is_forced=True)
    show(asdict(page), page_text(page), as_json=request.as_json)
    return ExitCode.DONE
