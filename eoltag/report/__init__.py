"""Written tables to something a person reads: the summary at the shell, and the page report/index.html."""

from eoltag.report.content import page_text
from eoltag.report.summary import NO_TAG, Changes, Flips, Summary, Work, flips_text, plan_text, summary_text

__all__ = ["NO_TAG", "Changes", "Flips", "Summary", "Work", "flips_text", "page_text", "plan_text", "summary_text"]
