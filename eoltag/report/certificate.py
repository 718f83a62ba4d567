"""A certificate as text, and as the page report/certificate_TASK.html."""

from collections.abc import Mapping
from typing import Any

from eoltag.report.page import assets, environment


def certificate_text(document: Mapping[str, Any]) -> str:
    """A certificate for a person at the shell."""
    lines = [
        f"task {document['task']}, publication {document['publication']}: {document['right']:,} of "
        f"{document['judged']:,} audited tags are right ({document['drawn']:,} drawn)",
        f"{'tag':<24} {'rows':>10} {'audited':>8} {'precision':>10} {'95 % interval':>16} {'true share':>11} "
        f"{'95 % interval':>16}",
    ]
    for tag, found in document["tags"].items():
        precision, interval = "-", "-"
        if found["precision"] is not None:
            precision, interval = f"{found['precision']:.3f}", _interval(found["interval"])
        lines.append(
            f"{tag:<24} {found['rows']:>10,} {found['images']:>8,} {precision:>10} {interval:>16} "
            f"{found['share']:>11.3f} {_interval(found['share_interval']):>16}"
        )
        if promise := found.get("promise"):
            held = "held as far as these images tell" if promise["is_held"] else "NOT held"
            lines.append(f"    promised: at most {promise['max_error']:.1%} wrong; {held}")
        if found["more_to_halve"] is not None:
            lines.append(f"    {found['more_to_halve']:,} more judgements would halve the first interval")
    agreeing = [
        f"models {' and '.join(pair['models'])} agree on {pair['share']:.1%} of {pair['images']:,} images"
        for pair in document["agreement"]
    ]
    return "\n".join([*lines, *agreeing, *_thresholds(document.get("thresholds"))])


def _thresholds(found: Mapping[str, Any] | None) -> list[str]:
    """The thresholds that were chosen again, a line for each tag."""
    if found is None:
        return []
    lines = [f"chosen again, at most {found['max_error']:.1%} wrong with {found['confidence']:.0%} confidence:"]
    for tag, one in found["tags"].items():
        if one["threshold"] is None:
            lines.append(f"  {tag}: none; {one['reason']}")
        else:
            lines.append(
                f"  {tag}: confidence >= {one['threshold']:g} ({one['wrong']} wrong of {one['images']} audited, keeps "
                f"{one['coverage']:.1%} of the tag)"
            )
    return lines


def certificate_page(document: Mapping[str, Any]) -> str:
    """The page as HTML that asks the network for nothing."""
    template = environment().get_template("certificate.html.j2")
    titles = {"family": "By family", "host": "By host", "color_mode": "By colour mode", "rule": "By rule"}
    return template.render(**assets(), certificate=document, titles=titles)


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"
