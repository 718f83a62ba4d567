"""The APIs that `collect` searches, on this machine: the paths, parameters, paging and answers of the real ones.

Result number N of every search is /images/N.png. The term `nothing` finds nothing. What a service leaves out now
and then is left out of some results here, and push_back() makes a path refuse its next requests.
"""

import base64
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

Query = dict[str, str]

TOKEN: Final = "token-8d1f00"
CLIENT: Final = ("client-id-51", "client-secret-77")
GOOGLE_KEY, GOOGLE_ENGINE, FLICKR_KEY = "google-key-4711", "engine-12", "flickr-key-0815"
LICENCES: Final = ("by", "cc0", "by-nc", "by-sa")
"""Of results 0, 1, 2, ..., over and over."""


_CC: Final = "https://creativecommons.org"
FLICKR_LICENCES: Final = [
    {"id": "0", "name": "All Rights Reserved", "url": "https://www.flickrhelp.com/hc/en-us/articles/10710266545556"},
    {"id": "2", "name": "CC BY-NC 2.0", "url": f"{_CC}/licenses/by-nc/2.0/"},
    {"id": "4", "name": "CC BY 2.0", "url": f"{_CC}/licenses/by/2.0/"},
    {"id": "5", "name": "CC BY-SA 2.0", "url": f"{_CC}/licenses/by-sa/2.0/"},
    {"id": "9", "name": "Public Domain Dedication (CC0)", "url": f"{_CC}/publicdomain/zero/1.0/"},
]
FLICKR_IDS: Final = ("4", "9", "2", "5")
"""Of results 0, 1, 2, ..., as LICENCES."""


def picture(number: int) -> bytes:
    """A small PNG that no other number has."""
    pixels = np.random.default_rng(number).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Answer:
    """What goes over the wire."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    query: Query
    headers: dict[str, str]


class ApiServer:
    """All services at once, for the length of a `with` block. total: how many results a search has."""

    def __init__(self, total: int = 120) -> None:
        self.total = total
        self.asked: list[Asked] = []
        self._refusals: dict[str, deque[Answer]] = {}
        self._routes: tuple[tuple[str, Callable[[Asked, Query], Answer]], ...] = (
            ("/images/", self._image),
            ("/w/api.php", self._commons),
            ("/v1/observations", self._inaturalist),
            ("/v1/species/match", self._gbif_match),
            ("/v1/occurrence/search", self._gbif),
            ("/v1/images/", self._openverse),
            ("/v1/auth_tokens/token/", self._openverse_token),
            ("/api/search/1.0.json", self._eol_search),
            ("/api/pages/1.0/", self._eol_page),
            ("/customsearch/v1", self._google),
            ("/services/rest/", self._flickr),
            ("/api/v1/access_token", self._reddit_token),
            ("/r/", self._reddit),
        )

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                self._answer({key: values[0] for key, values in parse_qs(body).items()})

            def _answer(self, form: Query) -> None:
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                answer = outer.answer(Asked(parts.path, query, dict(self.headers)), form)
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in (*answer.headers, ("Content-Length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base(self) -> str:
        """http://127.0.0.1:PORT"""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def push_back(self, path: str, status: int, body: Any = None, **headers: str) -> None:
        """The next request to a path that begins so is answered with this; called twice, the next two."""
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        self._refusals.setdefault(path, deque()).append(
            Answer(status, {"error": "no"} if body is None else body, named)
        )

    def count(self, path: str) -> int:
        """How many requests went to paths that begin so."""
        return sum(asked.path.startswith(path) for asked in self.asked)

    def answer(self, asked: Asked, form: Query) -> Answer:
        """To one request."""
        self.asked.append(asked)
        for path, refusals in self._refusals.items():
            if asked.path.startswith(path) and refusals:
                return refusals.popleft()
        for path, route in self._routes:
            if asked.path.startswith(path):
                return route(asked, form)
        return Answer(404, {"error": "no such path"})

    def _url(self, number: int, size: str = "") -> str:
        return f"{self.base}/images/{size}{number}.png"

    def _results(self, term: str, start: int, count: int) -> range:
        return range(start, start if term == "nothing" else min(start + count, self.total))

    def _image(self, asked: Asked, _form: Query) -> Answer:
        return Answer(200, picture(int("".join(filter(str.isdigit, asked.path)))), (("Content-Type", "image/png"),))

    def _commons(self, asked: Asked, _form: Query) -> Answer:
        query = asked.query
        assert (query["action"], query["generator"], query["formatversion"]) == ("query", "search", "2")
        start, limit = int(query.get("gsroffset", 0)), min(int(query["gsrlimit"]), 50)
        numbers = self._results(query["gsrsearch"].removesuffix(" filetype:bitmap"), start, limit)
        pages = [self.commons_page(number) for number in reversed(numbers)]  # not in the order of the ranking
        answer: dict[str, Any] = (
            {"batchcomplete": True, "query": {"pages": pages}} if pages else {"batchcomplete": True}
        )
        if numbers and numbers.stop < self.total:
            answer["continue"] = {"gsroffset": numbers.stop, "continue": "gsroffset||"}
        return Answer(200, answer)

    def commons_page(self, number: int) -> dict[str, Any]:
        page: dict[str, Any] = {"pageid": 9000 - number, "ns": 6, "title": f"File:{number}.png", "index": number + 1}
        if number % 10 == 8:  # a file that was deleted meanwhile
            return page
        about = {
            "LicenseShortName": {"value": "CC BY-SA 4.0", "source": "commons-desc-page", "hidden": ""},
            "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0"},
            "Artist": {"value": '<a href="//commons.wikimedia.org/wiki/User:Ann">Ann &amp; <b>Bob</b></a>'},
        }
        info = {
            "thumburl": self._url(number),
            "url": self._url(number, "original/"),
            "descriptionurl": f"https://commons.wikimedia.org/wiki/File:{number}.png",
            "extmetadata": {} if number % 10 == 9 else about,
        }
        return page | {"imageinfo": [info]}

    def _inaturalist(self, asked: Asked, _form: Query) -> Answer:
        query = asked.query
        below = int(query.get("id_below", 10**9))
        allowed = query["photo_license"].split(",") if "photo_license" in query else None
        numbers = [n for n in self._results(query["taxon_name"], 0, self.total) if 5000 - n < below]
        numbers = [n for n in numbers if allowed is None or _cc(n) in allowed][: int(query["per_page"])]
        results = [self._observation(number) for number in numbers]
        return Answer(200, {"total_results": self.total, "page": 1, "per_page": 200, "results": results})

    def _observation(self, number: int) -> dict[str, Any]:
        photo = {"id": number, "license_code": _cc(number), "url": f"{self.base}/images/{number}/square.png"}
        user = {"login": f"user{number}", "name": None if number % 2 else "Ann Bob"}
        return {
            "id": 5000 - number,
            "uri": f"https://www.inaturalist.org/observations/{5000 - number}",
            "user": user,
            "photos": [] if number % 10 == 9 else [photo, photo | {"url": f"{self.base}/images/9{number}/square.png"}],
        }

    def _gbif_match(self, asked: Asked, _form: Query) -> Answer:
        if asked.query["name"] == "nothing":
            return Answer(200, {"confidence": 100, "matchType": "NONE", "synonym": False})
        kind = "HIGHERRANK" if asked.query["name"].endswith("unheardofia") else "EXACT"
        return Answer(200, {"usageKey": 2878688, "matchType": kind, "rank": "SPECIES", "confidence": 99})

    def _gbif(self, asked: Asked, _form: Query) -> Answer:
        query = asked.query
        assert (query["taxonKey"], query["mediaType"]) == ("2878688", "StillImage")
        start, limit = int(query["offset"]), min(int(query["limit"]), 300)
        numbers = self._results("", start, limit)
        results = [self._occurrence(number) for number in numbers]
        is_end = numbers.stop >= self.total
        return Answer(
            200, {"offset": start, "limit": limit, "endOfRecords": is_end, "count": self.total, "results": results}
        )

    def _occurrence(self, number: int) -> dict[str, Any]:
        medium = {"type": "StillImage", "format": "image/png", "identifier": self._url(number), "creator": "Ann Bob"}
        if number % 2:
            medium["license"] = _licence_url(number, "4.0")
        return {
            "key": 700 + number,
            "license": "http://creativecommons.org/licenses/by/4.0/legalcode",
            "media": [
                {"type": "Sound", "identifier": f"{self.base}/sounds/1"},
                *([] if number % 10 == 9 else [medium]),
            ],
        }

    def _openverse(self, asked: Asked, _form: Query) -> Answer:
        query = asked.query
        page, size = int(query["page"]), int(query["page_size"])
        if "Authorization" in asked.headers and asked.headers["Authorization"] != f"Bearer {TOKEN}":
            return Answer(401, {"detail": "Authentication credentials were not provided."})
        if size > 20 or page * size > 240:
            return Answer(401, {"detail": "page_size may not exceed 20 for anonymous requests"})
        allowed = query["license"].split(",") if "license" in query else LICENCES
        numbers = [n for n in self._results(query["q"], 0, self.total) if LICENCES[n % 4] in allowed]
        results = [self._openverse_image(number) for number in numbers[(page - 1) * size : page * size]]
        pages = -(-len(numbers) // size)
        body = {"result_count": len(numbers), "page_count": pages, "page_size": size, "page": page, "results": results}
        return Answer(200, body)

    def _openverse_image(self, number: int) -> dict[str, Any]:
        code = LICENCES[number % 4]
        return {
            "id": f"0c{number}",
            "title": f"Result {number}",
            "url": None if number % 10 == 9 else self._url(number),
            "foreign_landing_url": f"https://www.flickr.com/photos/{number}",
            "creator": "Ann Bob",
            "license": code,
            "license_version": "2.0",
            "license_url": None if number % 2 else _licence_url(number, "2.0"),
        }

    def _openverse_token(self, _asked: Asked, form: Query) -> Answer:
        if (form.get("client_id"), form.get("client_secret")) != CLIENT:
            return Answer(401, {"error": "invalid_client", "error_description": f"unknown {form.get('client_secret')}"})
        return Answer(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 36000, "scope": "read"})

    def _eol_search(self, asked: Asked, _form: Query) -> Answer:
        if asked.query["q"] == "nothing":
            return Answer(200, {"totalResults": 0, "startIndex": 1, "itemsPerPage": 50, "results": []})
        results = [{"id": 11, "title": "Pseudo-bellis"}, {"id": 46559130, "title": "Bellis perennis L."}]
        return Answer(200, {"totalResults": 2, "startIndex": 1, "itemsPerPage": 50, "results": results})

    def _eol_page(self, asked: Asked, _form: Query) -> Answer:
        if asked.path != "/api/pages/1.0/46559130.json":
            return Answer(404, {"error": "not found"})
        size, page = int(asked.query["images_per_page"]), int(asked.query["images_page"])
        numbers = self._results("", (page - 1) * size, size)
        media = [self._eol_medium(number) for number in numbers]
        return Answer(200, {"taxonConcept": {"identifier": 46559130, "dataObjects": media}})

    def _eol_medium(self, number: int) -> dict[str, Any]:
        medium: dict[str, Any] = {
            "identifier": f"EOL-media-{number}",
            "dataType": "http://purl.org/dc/dcmitype/StillImage",
            "mediaURL": f"{self.base}/images/elsewhere/{number}.png",
            "eolMediaURL": self._url(number),
            "license": _licence_url(number, "3.0"),
            "source": f"https://www.flickr.com/photos/eol/{number}",
            "agents": [{"full_name": "Ann Bob", "homepage": None, "role": "photographer"}],
        }
        if number % 10 == 9:
            del medium["eolMediaURL"], medium["mediaURL"], medium["agents"]
        return medium

    def _google(self, asked: Asked, _form: Query) -> Answer:
        query = asked.query
        if (query["key"], query["cx"]) != (GOOGLE_KEY, GOOGLE_ENGINE):
            message = f"API key not valid. Please pass a valid API key: {query['key']}"
            return Answer(400, {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})
        start, count = int(query["start"]), int(query["num"])
        if count > 10 or start + count - 1 > 100:
            return Answer(400, {"error": {"code": 400, "message": "Request contains an invalid argument."}})
        numbers = self._results(query["q"], start - 1, count)
        answer: dict[str, Any] = {"kind": "customsearch#search", "queries": {"request": [{"startIndex": start}]}}
        if numbers:
            answer["items"] = [self._google_item(number) for number in numbers]
            if numbers.stop < self.total:
                answer["queries"]["nextPage"] = [{"startIndex": numbers.stop + 1}]
        return Answer(200, answer)

    def _google_item(self, number: int) -> dict[str, Any]:
        item = {"link": self._url(number), "displayLink": "example.org", "mime": "image/png"}
        return item if number % 2 else item | {"image": {"contextLink": f"https://example.org/{number}", "width": 48}}

    def _flickr(self, asked: Asked, _form: Query) -> Answer:
        query = asked.query
        assert (query["format"], query["nojsoncallback"]) == ("json", "1")
        if query["api_key"] != FLICKR_KEY:
            refused = {"stat": "fail", "code": 100, "message": f"Invalid API Key {query['api_key']} (wrong format)"}
            return Answer(200, refused)
        if query["method"] == "flickr.photos.licenses.getInfo":
            return Answer(200, {"licenses": {"license": FLICKR_LICENCES}, "stat": "ok"})
        page, size = int(query["page"]), min(int(query["per_page"]), 500)
        allowed = query["license"].split(",") if "license" in query else [one["id"] for one in FLICKR_LICENCES]
        numbers = [n for n in self._results(query["text"], 0, self.total) if FLICKR_IDS[n % 4] in allowed]
        photos = [self._photo(number) for number in numbers[(page - 1) * size : page * size]]
        found = {"page": page, "pages": -(-len(numbers) // size), "perpage": size, "total": len(numbers)}
        return Answer(200, {"photos": {**found, "photo": photos}, "stat": "ok"})

    def _photo(self, number: int) -> dict[str, Any]:
        photo = {"id": f"48{number}", "owner": "77@N04", "ownername": "Ann Bob", "license": FLICKR_IDS[number % 4]}
        size = "url_c" if number % 2 else "url_l"
        return photo if number % 10 == 9 else photo | {size: self._url(number), "height_l": 40, "width_l": 48}

    def _reddit_token(self, asked: Asked, form: Query) -> Answer:
        expected = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()
        if asked.headers.get("Authorization") != expected or form != {"grant_type": "client_credentials"}:
            return Answer(401, {"message": "Unauthorized", "error": 401})
        return Answer(200, {"access_token": TOKEN, "token_type": "bearer", "expires_in": 86400, "scope": "*"})

    def _reddit(self, asked: Asked, _form: Query) -> Answer:
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"message": "Unauthorized", "error": 401})
        if asked.path == "/r/nothing/new":
            return Answer(404, {"message": "Not Found", "error": 404})
        start = int(asked.query.get("after", "t3_0").removeprefix("t3_"))
        numbers = self._results("", start, int(asked.query["limit"]))
        after = f"t3_{numbers.stop}" if numbers.stop < self.total else None
        children = [{"kind": "t3", "data": self._post(number)} for number in numbers]
        return Answer(200, {"kind": "Listing", "data": {"after": after, "dist": len(children), "children": children}})

    def _post(self, number: int) -> dict[str, Any]:
        post: dict[str, Any] = {
            "name": f"t3_{number}",
            "permalink": f"/r/carporn/comments/{number}/a_car/",
            "author": f"user{number}",
            "over_18": number % 10 == 8,
            "url": self._url(number),
        }
        if number % 10 == 7:  # a gallery
            picture = {
                "status": "valid",
                "e": "Image",
                "m": "image/png",
                "s": {"u": self._url(number), "x": 48, "y": 40},
            }
            post |= {
                "url": f"https://www.reddit.com/gallery/{number}",
                "gallery_data": {"items": [{"media_id": f"m{number}", "id": 1}]},
                "media_metadata": {f"m{number}": picture},
            }
        if number % 10 == 9:  # a text
            post["url"] = f"https://www.reddit.com/r/carporn/comments/{number}/a_question/"
        return post


def _cc(number: int) -> str | None:
    """How iNaturalist writes the licence of a photo; every eighth has none."""
    code = LICENCES[number % 4]
    return None if number % 8 == 6 else code if code == "cc0" else f"cc-{code}"


def _licence_url(number: int, version: str) -> str:
    code = LICENCES[number % 4]
    inside = "publicdomain/zero/1.0" if code == "cc0" else f"licenses/{code}/{version}"
    return f"http://creativecommons.org/{inside}/"
