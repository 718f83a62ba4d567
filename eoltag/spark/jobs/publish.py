"""Publish what is decided, go back to the publication before, or list what there is. Touches no image."""

from eoltag.decide.keeping import keeping
from eoltag.decide.task import read_tasks
from eoltag.errors import ExitCode
from eoltag.publish.manifest import FOLDER
from eoltag.publish.text import list_text, publication_text
from eoltag.spark.predict.remote import fetch_package
from eoltag.spark.publish.publishing import publish
from eoltag.spark.publish.versions import complete_versions, read_current, read_manifest, undo
from eoltag.spark.requests import PublishRequest
from eoltag.spark.runtime.command import show
from eoltag.spark.runtime.session import open_session, prepare_for
from eoltag.spark.tables.bundles import rows_at_most
from eoltag.spark.tables.decided import read_note
from eoltag.spark.tables.lock import locked, unchanged
from eoltag.spark.tables.output import Output, open_output

__all__ = ["publish_tags"]


def publish_tags(request: PublishRequest) -> ExitCode:
    """Publish, go back, or list. Raises UsageError."""
    tasks = read_tasks(request.tasks, request.root, request.models, fetch_package) if request.tasks else []
    output = open_output(open_session("eoltag publish"), request.output)
    tasks = [keeping(task, read_note(output, task.name).kept) for task in tasks]
    if request.is_list:
        return _show_list(output, as_json=request.as_json)
    if request.is_undo:
        return _undo(output, as_json=request.as_json)
    prepare_for(output.session, rows_at_most(output))
    if request.is_dry_run:
        with unchanged(output):
            found = publish(output, tasks, request.settings, request.limits, request.without, is_dry_run=True)
    else:
        with locked(output):
            found = publish(output, tasks, request.settings, request.limits, request.without)
    show(found.document(), found.text(output), as_json=request.as_json)
    return found.exit_code


def _show_list(output: Output, *, as_json: bool) -> ExitCode:
    current = read_current(output)
    version = current.version if current is not None else None
    manifests = [read_manifest(output, name) for name in complete_versions(output)]
    listed = [{"version": one.version, "made_at": one.made_at, "tasks": list(one.tasks)} for one in manifests]
    show({"current": version, "publications": listed}, list_text(manifests, version), as_json=as_json)
    return ExitCode.DONE


def _undo(output: Output, *, as_json: bool) -> ExitCode:
    with locked(output):
        manifest = undo(output)
    place = output.path(FOLDER, manifest.version)
    show(
        {"status": "undone", "current": manifest.version}, publication_text(manifest, place, "back to"), as_json=as_json
    )
    return ExitCode.DONE
