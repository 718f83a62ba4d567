"""Written tables to something a person reads: the summary at the shell, and the page report/index.html."""

from eoltag.report.content import page_text
from eoltag.report.summary import Summary, plan_text, summary_text

__all__ = ["Summary", "page_text", "plan_text", "summary_text"]
