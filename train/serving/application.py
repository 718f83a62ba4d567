"""The service as an ASGI application: its routes, and a JSON answer to every request."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from time import perf_counter
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from eoltag import __version__
from eoltag.model.package import Package
from train.evaluate.shown import shown_from
from train.serving.admission import AdmissionControl
from train.serving.answers import (
    ClassifyManyResponse,
    ClassifyResponse,
    ErrorResponse,
    HealthResponse,
    answer_all,
    answer_one,
)
from train.serving.body_limit import BodyLimit
from train.serving.classifier import Classifier, Result
from train.serving.metrics import Metrics
from train.serving.page import read_page
from train.serving.refusals import Refused, problem
from train.serving.settings import ServeSettings
from train.serving.uploads import FIELD, Upload, read_uploads

PATHS: Final = "/, /classify, /health, /metrics, /openapi.json"
BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "one image file, or several; the field may be called image as well",
                        }
                    },
                }
            }
        },
    }
}
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorResponse, "description": "no multipart body, no file, another field, or a broken body"},
    408: {"model": ErrorResponse, "description": "the body did not arrive in time"},
    413: {"model": ErrorResponse, "description": "too many bytes, pixels or images"},
    415: {"model": ErrorResponse, "description": "another kind of body, or a file that is no image"},
    422: {
        "model": ErrorResponse,
        "description": "an image that is cut short or broken; with several, `results` as well",
    },
    503: {"model": ErrorResponse, "description": "the queue is full; Retry-After says when to come again"},
}


class Service:
    """Model, limits and counters that all request handlers share."""

    def __init__(self, package: Package, settings: ServeSettings) -> None:
        self.package = package
        self.settings = settings
        self.metrics = Metrics()
        self.classifier = Classifier(package, settings, self.metrics)
        batcher = self.classifier.batcher
        self.admission = AdmissionControl(
            settings.queue_images, settings.max_held_bytes, lambda: batcher.seconds_per_image
        )
        self.metrics.describe(name=package.card.name, version=package.version, engine=self.classifier.engine)
        self.metrics.add_gauge("eoltag_queue_images", "Images not answered yet.", lambda: self.admission.images)
        self.metrics.add_gauge("eoltag_queue_bytes", "Bytes of uploads that are held.", lambda: self.admission.bytes)

    async def classify(self, request: Request, top: int | None) -> tuple[str, Response]:
        """The outcome for the counters, and the response to one request. Raises Refused."""
        with self.admission.reserve() as reservation:
            uploads = await read_uploads(request, self.settings, reservation)
            reservation.add_images(len(uploads))
            results = await self._classified(uploads)
        return answer_one(results[0], uploads[0], top) if len(uploads) == 1 else answer_all(results, uploads, top)

    async def _classified(self, uploads: Sequence[Upload]) -> list[Result]:
        """Raises Refused (503) where the images of others take up all the time that there is."""
        try:
            async with asyncio.timeout(self.settings.deadline_s):
                return await self.classifier.classify(uploads)
        except TimeoutError as late:
            raise self.admission.refusal(f"not classified in {self.settings.deadline_s:g} s") from late

    @property
    def health(self) -> HealthResponse:
        """The document that `/health` answers with."""
        card = self.package.card
        return HealthResponse(
            ready=self.classifier.batcher.is_running,
            name=card.name,
            version=self.package.version,
            engine=self.classifier.engine,
            labels=list(card.labels),
            output=card.output_kind,
            shown_from=shown_from(card),
            max_images=self.settings.max_images,
            max_bytes=self.settings.max_bytes,
            eoltag=__version__,
        )


def build_application(package: Package, settings: ServeSettings) -> FastAPI:
    """The application with its model loaded. Raises PackageError or SettingsError where that fails."""
    service = Service(package, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.classifier.batcher.start()
        try:
            yield
        finally:
            await service.classifier.stop()

    application = FastAPI(
        title=f"eoltag: {package.card.name}",
        version=package.version,
        description="Says what images show, by one model package.",
        lifespan=lifespan,
        docs_url=None,  # both pages load scripts from other machines
        redoc_url=None,
        redirect_slashes=False,
    )
    application.state.service = service
    application.add_middleware(BodyLimit, settings=settings)
    if settings.cors_origins:
        methods = ["GET", "POST"]
        application.add_middleware(CORSMiddleware, allow_origins=list(settings.cors_origins), allow_methods=methods)
    _add_routes(application, service)
    _add_problems(application, service.metrics)
    return application


def _add_routes(application: FastAPI, service: Service) -> None:
    page, page_headers = read_page()

    @application.post(
        "/classify",
        summary="What do these images show?",
        response_model=ClassifyResponse | ClassifyManyResponse,
        responses=PROBLEMS,
        openapi_extra=BODY,
    )
    async def classify(
        request: Request,
        top: Annotated[int | None, Query(ge=1, description="only the best labels of each image")] = None,
    ) -> Response:
        started = perf_counter()
        outcome = "failed"
        try:
            outcome, response = await service.classify(request, top)
            return response
        except Refused as refused:
            outcome = refused.reason
            raise
        except ClientDisconnect:
            outcome = "disconnected"
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
        finally:
            service.metrics.request(outcome, perf_counter() - started)

    @application.get("/health", summary="Is it ready, and what is served?", response_model=HealthResponse)
    async def health() -> Response:
        state = service.health
        return JSONResponse(state.model_dump(), HTTPStatus.OK if state.ready else HTTPStatus.SERVICE_UNAVAILABLE)

    @application.get("/metrics", summary="Counters for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": service.metrics.content_type})

    @application.get("/", include_in_schema=False)
    async def index() -> Response:
        return HTMLResponse(page, headers=page_headers)


def _add_problems(application: FastAPI, metrics: Metrics) -> None:
    """Error handlers: every response that is no success is JSON."""

    async def refused(_: Request, why: Exception) -> Response:
        assert isinstance(why, Refused)
        return JSONResponse(why.document, why.status, why.headers)

    async def unknown(request: Request, why: Exception) -> Response:
        assert isinstance(why, HTTPException)
        path, method, allowed = request.url.path, request.method, (why.headers or {}).get("Allow", "")
        reason, error = "http", str(why.detail)
        if why.status_code == HTTPStatus.NOT_FOUND:
            reason, error = "not_found", f"{path[:80]!r} is not here; there are {PATHS}"
        elif why.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            reason, error = "method", f"{path[:80]} wants {allowed}. Received: {method}"
        metrics.request(reason)
        return JSONResponse(problem(reason, error), why.status_code, dict(why.headers or {}))

    async def invalid(_: Request, why: Exception) -> Response:
        assert isinstance(why, RequestValidationError)
        first = why.errors()[0]
        error = f"{first['loc'][-1]}: {first['msg']}. Received: {str(first['input'])[:80]!r}"
        metrics.request("parameter")
        return JSONResponse(problem("parameter", error), HTTPStatus.BAD_REQUEST)

    async def failed(_: Request, __: Exception) -> Response:
        return JSONResponse(problem("failed", "the service failed; its log says why"), 500)

    application.add_exception_handler(Refused, refused)
    application.add_exception_handler(HTTPException, unknown)
    application.add_exception_handler(RequestValidationError, invalid)
    application.add_exception_handler(Exception, failed)
