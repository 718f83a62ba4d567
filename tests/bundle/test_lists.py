"""What EOL's lists hold comes out row for row, and what is no list says so in one line."""

import csv
import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from eoltag.bundle.formats.content import Tally
from eoltag.bundle.formats.text import MAX_LINE_BYTES
from eoltag.bundle.lists import Bundle, open_bundles
from eoltag.bundle.names import bundle_name, expand_ranges, sibling_of
from eoltag.errors import BadUrl, BundleError, NoListError
from eoltag.fetch.urls import check_url, is_usable
from eoltag.records import ImageRef

FLOWER = "https://content.eol.org/data/media/80/19/a6/542.4888050484.jpg"
MOTH = "https://content.eol.org/data/media/85/d9/ff/7.CalPhotos_0508_1735.jpg"
HEADER = "identifier\tdataObjectVersionID\tmimeType\teolMediaURL\teolThumbnailURL\tancestry\n"

Write = Callable[[str, bytes | str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def opened(path: Path) -> Bundle:
    [bundle] = open_bundles(path, path.name)
    return bundle


def urls(path: Path) -> list[str | None]:
    return [row.url for row in opened(path).rows()]


def refusal(path: Path, origin: str = "my list") -> str:
    with pytest.raises(BundleError) as caught:
        open_bundles(path, origin)
    message = str(caught.value)
    assert message.startswith("my list")
    assert len(message.splitlines()) == 1
    return message


def zipped(members: dict[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# --- breakdowns -------------------------------------------------------------------------------------------------------


def test_a_breakdown_gives_its_columns_by_name_wherever_they_stand(write: Write) -> None:
    path = write(
        "images_for_Aves_breakdown_000001.txt",
        HEADER
        + f"EOL-media-542-1\t6707831\timage/jpeg\t{FLOWER}\t{FLOWER}.98x68.jpg\tLife|Plantae|Poaceae\n"
        + f"EOL-media-7-2\t\timage/png\t {MOTH} \t\t\n",
    )
    bundle = opened(path)
    assert (bundle.name, bundle.format) == ("images_for_Aves_breakdown_000001", "table")
    assert bundle.columns == ("eolMediaURL", "identifier", "dataObjectVersionID", "ancestry")
    assert bundle.notes == ()
    assert list(bundle.rows()) == [
        ImageRef(1, FLOWER, "EOL-media-542-1", "6707831", "Life|Plantae|Poaceae"),
        ImageRef(2, MOTH, "EOL-media-7-2", None, None),
    ]


def test_the_rows_can_be_read_again_and_by_another_process(write: Write) -> None:
    bundle = opened(write("b.txt", f"eolMediaURL\tancestry\n{FLOWER}\tPlantae\n"))
    assert list(bundle.rows()) == [ImageRef(1, FLOWER, ancestry="Plantae")]
    assert list(pickle.loads(pickle.dumps(bundle)).rows()) == list(bundle.rows())


def test_an_unbalanced_quote_swallows_no_rows(write: Write) -> None:
    path = write("b.txt", f'identifier\teolMediaURL\n"open\t{FLOWER}\nb\t{MOTH}\nsays "hi\t{FLOWER}\n"c"\t"{MOTH}"\n')
    assert list(opened(path).rows()) == [
        ImageRef(1, FLOWER, '"open'),
        ImageRef(2, MOTH, "b"),
        ImageRef(3, FLOWER, 'says "hi'),
        ImageRef(4, f'"{MOTH}"', '"c"'),
    ]


def test_a_short_row_lacks_what_is_missing_and_a_long_row_loses_only_the_excess(write: Write) -> None:
    path = write("b.txt", f"identifier\teolMediaURL\tancestry\na\nb\t{FLOWER}\nc\t{MOTH}\tPlantae\textra\tmore\n\t\t\n")
    assert list(opened(path).rows()) == [
        ImageRef(1, None, "a"),
        ImageRef(2, FLOWER, "b"),
        ImageRef(3, MOTH, "c", None, "Plantae"),
        ImageRef(4, None),
    ]


def test_only_a_line_feed_ends_a_line(write: Write) -> None:
    inside = "a\rb\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029c"
    path = write("b.txt", f"ancestry\teolMediaURL\tidentifier\n{inside}\t{FLOWER}\t{inside}\r\n\t{MOTH}")
    assert list(opened(path).rows()) == [ImageRef(1, FLOWER, inside, None, inside), ImageRef(2, MOTH)]


def test_column_names_match_in_any_case_and_the_first_of_two_alike_wins(write: Write) -> None:
    path = write("b.txt", f"  EOLMEDIAurl \tIdentifier\tidentifier\n{FLOWER}\tfirst\tsecond\n")
    bundle = opened(path)
    assert bundle.columns == ("EOLMEDIAurl", "Identifier")
    assert list(bundle.rows()) == [ImageRef(1, FLOWER, "first")]


def test_an_unnamed_first_column_stays_a_column(write: Write) -> None:
    assert urls(write("pandas.tsv", f"\tobj_url\n0\t{FLOWER}\n1\t{MOTH}\n")) == [FLOWER, MOTH]


def test_blank_lines_and_comments_are_skipped_and_counted_but_rows_of_empty_fields_are_rows(write: Write) -> None:
    path = write(
        "b.txt", f"\n # made today\n\t\nidentifier\teolMediaURL\r\n\r\n# a comment\n#a\t{FLOWER}\n\t\n b\t{MOTH}\n\n"
    )
    tally = Tally()
    assert list(opened(path).rows(tally)) == [ImageRef(1, FLOWER, "#a"), ImageRef(2, None), ImageRef(3, MOTH, " b")]
    assert tally.skipped == 6


# --- plain lists ------------------------------------------------------------------------------------------------------


def test_the_first_url_of_a_plain_list_is_data(write: Write) -> None:
    bundle = opened(write("maps.txt", f"{FLOWER}\n{MOTH}"))
    assert (bundle.format, bundle.columns, bundle.notes) == ("list", (), ())
    assert list(bundle.rows()) == [ImageRef(1, FLOWER), ImageRef(2, MOTH)]


def test_a_line_of_a_list_that_is_no_url_is_a_row_all_the_same(write: Write) -> None:
    path = write(
        "list.txt", f"  HTTP://eol.org/a,b.jpg \n\n  # checked by hand\nnot a url\n{FLOWER}\tx\nftp://h/a.jpg\n"
    )
    tally = Tally()
    assert [row.url for row in opened(path).rows(tally)] == [
        "HTTP://eol.org/a,b.jpg",
        "not a url",
        f"{FLOWER}\tx",
        "ftp://h/a.jpg",
    ]
    assert tally.skipped == 2


@pytest.mark.parametrize("first", ["htps://eol.org/typo.jpg", '"an open quote', "\u2028x"])
def test_a_list_may_begin_with_a_bad_row_and_says_so(write: Write, first: str) -> None:
    bundle = opened(write("list.txt", f"{first}\n{FLOWER}\n"))
    assert [row.url for row in bundle.rows()] == [first.strip(), FLOWER]
    assert bundle.notes == (f"the first line is no URL ({first.strip()!r}); it counts as row 1",)


# --- other tables -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "used"),
    [
        ("url,image_url,object_url,obj_url,eolMediaURL,identifier", "eolMediaURL"),
        ("url,image_url,object_url,obj_url,identifier", "obj_url"),
        ("url,image_url,object_url", "object_url"),
        ("url,image_url", "image_url"),
        ("identifier,url", "url"),
        ("title,identifier", "identifier"),
    ],
)
@pytest.mark.parametrize("separator", [",", "\t"])
def test_the_best_known_url_column_is_taken(write: Write, header: str, used: str, separator: str) -> None:
    names = header.split(",")
    values = [f"https://eol.org/{name}.jpg" for name in names]
    path = write("x", separator.join(names) + "\n" + separator.join(values) + "\n")
    [row] = opened(path).rows()
    assert row.url == f"https://eol.org/{used}.jpg"
    assert row.identifier == ("https://eol.org/identifier.jpg" if "identifier" in header and used[0] != "i" else None)


def test_identifier_is_the_url_column_where_its_values_are_urls_and_a_note_says_so(write: Write) -> None:
    bundle = opened(write("x.csv", f"uuid,identifier,title\n1,{FLOWER},Moth\n2,,\n3,{MOTH},\n4,none,\n"))
    assert bundle.columns == ("identifier",)
    assert bundle.notes == ("column identifier is taken for the image URL, since its values are URLs",)
    assert list(bundle.rows()) == [ImageRef(1, FLOWER), ImageRef(2, None), ImageRef(3, MOTH), ImageRef(4, "none")]


def test_a_ratings_file_gives_its_urls_and_no_identifier(write: Write) -> None:
    path = write("image_ratings.txt", f'eol_pk\tobj_guid\tobj_url\tancestry\n1\tabc\t{FLOWER}\t{{"phylum":"x"}}\n')
    assert list(opened(path).rows()) == [ImageRef(1, FLOWER, ancestry='{"phylum":"x"}')]


def test_csv_fields_may_hold_commas_quotes_and_line_breaks(write: Write) -> None:
    path = write(
        "x.csv",
        '"my\nown ""title""",image_url,identifier\r\n'
        f'"one, ""two""\r\n# no comment\r\n\r\nthree",{FLOWER},a\r\n'
        "# a comment\r\n\r\n"
        f'5" pot,"{MOTH}","b\n"\r\n'
        "short\r\n",
    )
    tally = Tally()
    assert list(opened(path).rows(tally)) == [ImageRef(1, FLOWER, "a"), ImageRef(2, MOTH, "b\n"), ImageRef(3, None)]
    assert tally.skipped == 2


def test_a_quote_that_never_closes_stops_the_run_and_names_the_line_where_its_record_began(write: Write) -> None:
    path = write("x.csv", f'# list\ntitle,url\n"a\nb",{FLOWER}\n\nc,{MOTH}\nd,"{FLOWER}\ne,{MOTH}\n')
    assert refusal(path) == "my list: the record that begins in line 7 opens a quote that never closes"


def test_an_endless_quoted_field_is_refused_before_it_fills_the_memory(write: Write) -> None:
    path = write("x.csv", f'title,url\na,"{FLOWER}\n' + f"b,{MOTH}\n" * 5_000)
    assert refusal(path) == "my list: the record that begins in line 2 opens a quote that never closes"


def test_a_stray_quote_that_would_swallow_rows_is_refused(write: Write) -> None:
    path = write("x.csv", f'title,url\n"a,{FLOWER}\nb,"{MOTH}"\n')
    assert "the record that begins in line 2 is not valid CSV" in refusal(path)


def test_a_single_column_may_have_a_name_and_urls_with_commas(write: Write) -> None:
    path = write("x.csv", '# mine\nURL\nhttps://eol.org/a,b.jpg\n"https://eol.org/c,d.jpg"\n\nbad row\n')
    assert opened(path).columns == ("URL",)
    assert urls(path) == ["https://eol.org/a,b.jpg", "https://eol.org/c,d.jpg", "bad row"]


# --- encodings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_every_encoding_gives_the_same_text(write: Write, encoding: str) -> None:
    path = write("b.txt", f"eolMediaURL\tancestry\r\n{FLOWER}\tLépidoptère\r\n".encode(encoding))
    assert list(opened(path).rows()) == [ImageRef(1, FLOWER, ancestry="Lépidoptère")]


def test_utf_16_of_either_byte_order_is_read_after_its_mark(write: Write) -> None:
    text = f"\ufeff{FLOWER}\n\u0a0ahttp://x\n"
    for name in ("utf-16-le", "utf-16-be"):
        assert urls(write(name, text.encode(name))) == [FLOWER, "\u0a0ahttp://x"]


def test_bytes_that_are_not_utf_8_are_windows_1252_and_the_first_is_named_with_its_line(write: Write) -> None:
    rows = f"{FLOWER}\n".encode() * 30_000
    path = write("list.txt", rows + "é in UTF-8\n".encode() + b"\xe9 in \x93latin1\x94\x81\n" + rows)
    bundle = opened(path)
    assert bundle.notes == ("byte 0xE9 in line 30002 is not UTF-8; such bytes are read as Windows-1252",)
    assert [row.url for row in bundle.rows()][29_999:30_003] == [FLOWER, "é in UTF-8", "é in “latin1”\x81", FLOWER]


def test_a_character_cut_off_at_the_end_of_the_file_is_not_utf_8(write: Write) -> None:
    bundle = opened(write("list.txt", f"{FLOWER}\n".encode() + "é".encode()[:1]))
    assert bundle.notes == ("byte 0xC3 in line 2 is not UTF-8; such bytes are read as Windows-1252",)
    assert [row.url for row in bundle.rows()] == [FLOWER, "Ã"]


# --- what other programs write ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        f"eolMediaURL;identifier\r\n{FLOWER};a\r\n{MOTH};b,c\r\n",
        f'"identifier";"eolMediaURL"\n"a";"{FLOWER}"\n"b,c";"{MOTH}"\n',
        f"sep=;\r\nidentifier;url\r\na;{FLOWER}\r\nb,c;{MOTH}\r\n",
        f'sep=,\nurl,identifier\n{FLOWER},a\n{MOTH},"b,c"\n',
        f'identifier, url\na, {FLOWER}\n"b,c", "{MOTH}"\n',
        f'"identifier"\t"eolMediaURL"\n"a"\t"{FLOWER}"\n"b,c"\t"{MOTH}"\n',
        f'identifier\teolMediaURL\n"a"\t"{FLOWER}"\n"b,c"\t"{MOTH}"\n',
        f"identifier\teolMediaURL\ra\t{FLOWER}\rb,c\t{MOTH}\r",
        f'identifier,eolMediaURL\ra,{FLOWER}\r"b,c",{MOTH}\r',
        f"identifier\teolMediaURL\na\t\ufeff{FLOWER}\u200b\nb,c\t{MOTH}\n",
        f"\ufeff\ufeffidentifier\teolMediaURL\na\t{FLOWER}\nb,c\t{MOTH}\n",
    ],
)
def test_a_table_is_read_however_its_fields_and_lines_are_set_apart(write: Write, content: str) -> None:
    found = [(row.url, row.identifier) for row in opened(write("b.csv", content)).rows()]
    assert found == [(FLOWER, "a"), (MOTH, "b,c")]


def test_a_list_with_cr_alone_has_as_many_rows_as_lines(write: Write) -> None:
    assert urls(write("list.txt", f"{FLOWER}\r{MOTH}\r")) == [FLOWER, MOTH]


def test_a_lone_cr_inside_a_value_ends_no_row(write: Write) -> None:
    path = write("b.txt", f"eolMediaURL\tidentifier\n{FLOWER}\ta\rb\n{MOTH}\tc\n")
    assert [row.identifier for row in opened(path).rows()] == ["a\rb", "c"]


@pytest.mark.parametrize("field", [",flower", ";flower", " 3", "\tred flower", ", red flower"])
def test_urls_with_another_field_and_no_header_are_refused(write: Write, field: str) -> None:
    path = write("b.csv", f"http://eol.org/a.jpg{field}\nhttp://eol.org/b.png{field}\n")
    with pytest.raises(BundleError, match=r"^b\.csv: .*(wanted URLs alone|already holds a URL among other fields)"):
        opened(path)


@pytest.mark.parametrize(
    "url",
    [
        "http://eol.org/a.jpg?crop=2669,1999,x0,y0&width=80",
        "http://eol.org/Foo,_bar.jpg",
        "http://eol.org/image/1,2",
        "http://eol.org/a b.jpg",
        "http://eol.org/a.jpg, b.jpg",
    ],
)
def test_commas_and_blanks_of_a_url_are_its_own(write: Write, url: str) -> None:
    assert urls(write("list.txt", f"{url}\n{url}\n")) == [url, url]


def test_a_row_whose_first_field_begins_with_a_number_sign_is_a_row(write: Write) -> None:
    path = write("b.csv", f"id,url\n#1,{FLOWER}\n# a comment\n#2,{MOTH}\n")
    assert urls(path) == [FLOWER, MOTH]


def test_a_field_may_be_as_long_as_a_line(write: Write) -> None:
    path = write("b.csv", f"ancestry,url\n{'x' * 140_000},{FLOWER}\n")
    assert [(len(row.ancestry or ""), row.url) for row in opened(path).rows()] == [(140_000, FLOWER)]


# --- archives ---------------------------------------------------------------------------------------------------------


def test_a_gzipped_list_is_known_by_its_content(write: Write) -> None:
    path = write("list.txt", gzip.compress(f"{FLOWER}\n".encode(), mtime=0) + gzip.compress(f"{MOTH}\n".encode()))
    assert urls(path) == [FLOWER, MOTH]


def test_the_only_list_in_a_zip_takes_the_name_of_the_origin(write: Write) -> None:
    path = write("download-3", zipped({"image_ratings.txt": f"obj_url\tx\n{FLOWER}\t1\n", "__MACOSX/._a": b"\0"}))
    [bundle] = open_bundles(path, "https://editors.eol.org/files/image%20ratings.txt.zip?v=2")
    assert bundle.name == bundle_name("image ratings.txt")
    assert list(bundle.rows()) == [ImageRef(1, FLOWER)]


@pytest.mark.parametrize(
    "name",
    ["./list.txt", ".//list.txt", "./lists/./list.txt", "../list.txt", ".\\list.txt", "/list.txt", "a\\list.txt"],
)
def test_a_list_in_a_zip_is_read_however_its_path_is_written(write: Write, name: str) -> None:
    path = write("all.zip", zipped({name: f"{FLOWER}\n", "./.hidden": b"\0", "./__MACOSX/._list.txt": b"\0"}))
    assert [[row.url for row in bundle.rows()] for bundle in open_bundles(path, "all.zip")] == [[FLOWER]]


def test_each_list_in_a_zip_is_a_bundle_and_what_is_no_list_is_left_out_with_a_note(write: Write) -> None:
    members: dict[str, bytes | str] = {
        "lists/": "",
        "lists/maps.txt": f"{FLOWER}\n",
        "lists/.DS_Store": b"\0\1",
        "__MACOSX/lists/._maps.txt": b"\0\1",
        "lists/cover.jpg": b"\xff\xd8\xff\xe0",
        "lists/none.txt": "",
        "README.txt": "What is in here.\n",
        "meta.xml": "<?xml version='1.0'?><archive/>",
        "occurrence.txt": "occurrenceID\tcountry\n1\tPeru\n",
        "more.csv": f"url,x\n{MOTH},\xe9\n".encode("latin-1"),
    }
    bundles = open_bundles(write("all.zip", zipped(members)), "all.zip")
    assert [(bundle.name, [row.url for row in bundle.rows()]) for bundle in bundles] == [
        ("maps", [FLOWER]),
        ("more", [MOTH]),
    ]
    assert [bundle.notes for bundle in bundles] == [
        (
            "member 'lists/cover.jpg' was left out, being a JPEG image",
            "member 'lists/none.txt' was left out, being an empty file",
        ),
        (
            "member 'README.txt' was left out: wanted a list of image URLs; came text without any, 'What is in here.'",
            "member 'meta.xml' was left out: wanted a list of image URLs; came a web page or XML, "
            "\"<?xml version='1.0'?><archive/>\"",
            f"member 'occurrence.txt' was left out: {KNOWN}; came the columns 'occurrenceID', 'country'",
            "member 'more.csv': byte 0xE9 in line 2 is not UTF-8; such bytes are read as Windows-1252",
        ),
    ]


def test_a_zip_without_any_list_is_refused_by_what_it_holds(write: Write) -> None:
    path = write("all.zip", zipped({"README.txt": "What is in here.\n", "more.txt": "Nothing.\n"}))
    with pytest.raises(NoListError, match=r"wanted a zip with a list of image URLs in it; member 'README"):
        open_bundles(path, "all.zip")


def test_members_with_the_same_name_are_two_bundles(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", FLOWER)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.txt", MOTH)
    bundles = open_bundles(tmp_path / "a.zip", "a.zip")
    assert [[row.url for row in bundle.rows()] for bundle in bundles] == [[FLOWER], [MOTH]]


# --- what is no bundle ------------------------------------------------------------------------------------------------

KNOWN = (
    "wanted a URL column (eolMediaURL, obj_url, object_url, image_url, url, or identifier holding URLs; "
    "--url-column names another)"
)
WANTED = "my list: wanted a list of image URLs; came "


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"{WANTED}an empty file"),
        (gzip.compress(b"", mtime=0), f"{WANTED}an empty file"),
        (b"\xef\xbb\xbf", f"{WANTED}no rows, only blank lines or comments"),
        (b"\n \r\n# nothing yet\n", f"{WANTED}no rows, only blank lines or comments"),
        (b"identifier\teolMediaURL\n\n#x\n", "my list: wanted rows below the header; came none"),
        (b"url\n", "my list: wanted rows below the header; came none"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", f"{WANTED}a JPEG image"),
        (gzip.compress(b"\x89PNG\r\n\x1a\n\0", mtime=0), f"{WANTED}a PNG image"),
        (b"RIFF\0\0\0\0WEBPVP8 ", f"{WANTED}a WEBP image"),
        (b"http://eol.org/a.jpg\n\0\1", f"{WANTED}binary content (it holds a NUL in line 2)"),
        (b"http://eol.org/a.jpg\n" * 70_000 + b"\0", f"{WANTED}binary content (it holds a NUL in line 70001)"),
        ("http://eol.org/\0".encode("utf-16"), f"{WANTED}binary content (it holds a NUL)"),
        (b"\xff\xfea", "my list: begins with the mark of UTF-16, but is not (truncated data)"),
        (
            gzip.compress(gzip.compress(b"x", mtime=0), mtime=0),
            f"{WANTED}an archive inside an archive, which must be unpacked first",
        ),
        (
            b"\n<!DOCTYPE html>\n<html><a href='http://eol.org/a.jpg'>\n",
            f"{WANTED}a web page or XML, '<!DOCTYPE html>'",
        ),
        (b"no images today\nnor tomorrow\n", f"{WANTED}text without any, 'no images today'"),
        (b"taxon\tpicture\nPoa\thttp://x/a.jpg\n", f"my list: {KNOWN}; came the columns 'taxon', 'picture'"),
        (
            b"taxon,identifier\nPoa,EOL-1\n",
            f"my list: {KNOWN}; came the columns 'taxon', 'identifier'; identifier holds 'EOL-1'",
        ),
        (
            b"identifier,taxon\nEOL-1,a\nhttp://eol.org/2,b\nEOL-3,c\n",
            f"my list: {KNOWN}; came the columns 'identifier', 'taxon'; identifier holds 'EOL-1'",
        ),
        (
            b"EOL-1\thttp://x/a.jpg\nEOL-2\thttp://x/b.jpg\n",
            "my list: the first line already holds a URL among other fields ('EOL-1\\thttp://x/a.jpg'); "
            f"{KNOWN} named in a header line",
        ),
        (b"http://x/a.jpg\tEOL-1\n", "my list: the first line already holds a URL among other fields"),
        (gzip.compress(f"{FLOWER}\n".encode(), mtime=0)[:-9], "my list: cannot be read (Compressed file ended before"),
        (
            gzip.compress(f"{FLOWER}\n".encode(), mtime=0)[:-8] + b"12345678",
            "my list: cannot be read (CRC check failed",
        ),
        (
            gzip.compress(b"http://eol.org/\xe9\n" * 100_000, mtime=0)[:-8] + b"12345678",
            "my list: cannot be read (CRC check failed",
        ),
        (b"PK\x03\x04 is how a zip begins", "my list: cannot be read (File is not a zip file)"),
        (zipped({}), "my list: wanted a zip with a list of image URLs in it; came one without"),
        (
            zipped({"a.gif": b"GIF89a"}),
            "my list: wanted a zip with a list of image URLs in it; came one without; "
            "member 'a.gif' was left out, being a GIF image",
        ),
        (
            zipped({"a.zip": zipped({"a": "b"})}),
            "my list, member 'a.zip': wanted a list of image URLs; came an archive",
        ),
        (zipped({"READ\nME": "hello"}), "my list, member 'READ\\nME': wanted a list of image URLs; came text without"),
    ],
)
def test_what_is_no_list_is_refused_in_one_line_that_says_what_came(write: Write, content: bytes, message: str) -> None:
    assert refusal(write("file", content)).startswith(message)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.txt") == f"{WANTED}no such file"
    assert refusal(tmp_path) == f"{WANTED}a directory"


def test_an_encrypted_zip_is_refused(write: Write) -> None:
    content = bytearray(zipped({"a.txt": FLOWER}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(write("a.zip", bytes(content))) == (
        "my list, member 'a.txt': wanted a list of image URLs; came an encrypted file"
    )


def test_a_zip_packed_by_a_rare_method_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.txt", FLOWER)
    assert refusal(tmp_path / "a.zip") == "my list, member 'a.txt': wanted deflate or bzip2; came compression method 14"


def test_a_zip_whose_content_is_damaged_is_refused_when_it_is_opened(write: Write) -> None:
    rows = "".join(f"{FLOWER}?{number}\n" for number in range(20_000))
    content = bytearray(zipped({"a.txt": rows}))
    content[len(content) // 2] ^= 0xFF
    assert refusal(write("a.zip", bytes(content))).startswith("my list, member 'a.txt': cannot be read (")


def test_a_file_without_line_ends_is_refused_before_it_fills_the_memory(write: Write) -> None:
    path = write("list.txt", gzip.compress(b"http://eol.org/" + b"a" * MAX_LINE_BYTES, mtime=0))
    assert refusal(path) == "my list: wanted lines of text; came one of over 16,777,216 bytes"


def test_a_file_that_is_gone_or_has_changed_since_it_was_opened_is_a_bundle_error(write: Write) -> None:
    path = write("list.txt", f"{FLOWER}\n".encode("utf-16"))
    bundle = opened(path)
    write("list.txt", b"\xff\xfe\n")
    with pytest.raises(BundleError, match=r"^list\.txt: cannot be read \('utf-16-le' codec can't decode byte 0x0a"):
        list(bundle.rows())
    path.unlink()
    with pytest.raises(BundleError, match=r"^list\.txt: cannot be read \(No such file or directory\)$"):
        list(bundle.rows())


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("images.txt", ["images.txt"]),
        ("a_{000009..000011}.txt", ["a_000009.txt", "a_000010.txt", "a_000011.txt"]),
        ("{9..11}", ["9", "10", "11"]),
        ("{1..02}{5..5}x{0..1}", ["015x0", "015x1", "025x0", "025x1"]),
        ("{a..b} {} {1..} {3}", ["{a..b} {} {1..} {3}"]),
        ("", [""]),
    ],
)
def test_ranges_expand_as_in_a_shell(text: str, expanded: list[str]) -> None:
    assert expand_ranges(text) == expanded


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a_{5..1}", r"a_\{5\.\.1\}: wanted a range that runs upwards; came \{5\.\.1\}"),
        ("{0..100000}", r"wanted at most 100,000 names; came ranges for 100,001"),
        ("{1..400}{1..400}", r"wanted at most 100,000 names; came ranges for 160,000"),
        ("{1.." + "9" * 5000 + "}", r"wanted a range of numbers of up to 18 digits$"),
    ],
)
def test_a_range_that_is_backwards_or_too_long_is_refused(text: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        expand_ranges(text)


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("/data/images_for_Aves_breakdown_000001.txt", "images_for_Aves_breakdown_000001"),
        ("https://editors.eol.org/a/image_ratings.txt.zip", "image_ratings"),
        ("https://eol.org/a/my%20list%2Fb.TSV.GZ?x=/y.txt#z", "b"),
        ("s3a://bucket/lists/", "lists"),
        ("https://eol.org", "eol.org"),
        ("http://[", "bundle-245843ab"),
        ("what?.txt", "what-2cc9a59a"),
        ("a.csv.txt", "a.csv"),
        ("Käfer, alle.csv", "K_fer__alle-ce4ec659"),
        (".txt", "bundle-e3b0c442"),
        ("..", "bundle-5ec1f7e7"),
        ("x" * 300, f"{'x' * 200}-0d4e2ca9"),
    ],
)
def test_a_bundle_is_named_after_its_file(origin: str, name: str) -> None:
    assert bundle_name(origin) == name


@pytest.mark.parametrize(
    ("one", "other"), [("鱼类.txt", "鸟类.txt"), ("a b.txt", "a_b.txt"), ("x" * 201, "x" * 202), ("a%20b", "a b")]
)
def test_two_names_are_never_made_one(one: str, other: str) -> None:
    assert bundle_name(one) != bundle_name(other)


def test_one_name_in_two_spellings_of_unicode_is_one() -> None:
    assert bundle_name("K\u00e4fer.txt") == bundle_name("Ka\u0308fer.txt")


def test_a_download_list_knows_its_breakdown() -> None:
    assert sibling_of("images_for_Aves_20K_breakdown_download_000001") == "images_for_Aves_20K_breakdown_000001"
    assert sibling_of("images_for_Aves_20K_breakdown_000001") is None
    assert sibling_of("herbarium_sheets_download") is None


# --- URLs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "requestable"),
    [
        (FLOWER, FLOWER),
        (f"  {FLOWER}\r\n", FLOWER),
        ("HTTPS://EOL.org:443/A.jpg#top", "https://eol.org:443/A.jpg"),
        ("http://eol.org", "http://eol.org"),
        ("http://eol.org/a b.jpg?q=c d&e=%20%zz", "http://eol.org/a%20b.jpg?q=c%20d&e=%20%25zz"),
        ("http://eol.org/é/\u2028?ü=1", "http://eol.org/%C3%A9/%E2%80%A8?%C3%BC=1"),
        ("http://bücher.de/a.jpg", "http://xn--bcher-kva.de/a.jpg"),
        ("http://me:pw@my_host.org.:8080/a[1].jpg?b[]=(c)", "http://my_host.org.:8080/a[1].jpg?b[]=(c)"),
        ("http://[2001:DB8::0:1]:80/", "http://[2001:db8::1]:80/"),
        ('http://eol.org/<a>"b"\\c|d', "http://eol.org/%3Ca%3E%22b%22%5Cc%7Cd"),
    ],
)
def test_a_url_becomes_one_that_can_be_requested(text: str, requestable: str) -> None:
    assert check_url(text) == requestable
    assert is_usable(text)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (None, "wanted an http or https URL; came none"),
        (" \n", "wanted an http or https URL; came none"),
        ("eol.org/a.jpg", "wanted an http or https URL; came 'eol.org/a.jpg'"),
        ("ftp://eol.org/a.jpg", "wanted an http or https URL; came 'ftp://eol.org/a.jpg'"),
        ("//eol.org/a.jpg", "wanted an http or https URL; came '//eol.org/a.jpg'"),
        ("http:///a.jpg", "wanted a URL with a host; came 'http:///a.jpg'"),
        ("http://user@/", "wanted a URL with a host; came 'http:///'"),
        ("http://eol.org/a\tb", "wanted a URL without control characters; came 'http://eol.org/a\\tb'"),
        ("http://eol.org/\x85b", "wanted a URL without control characters; came 'http://eol.org/\\x85b'"),
        ("http://e ol.org/", "wanted a host name of letters, digits, '.', '-' and '_'; came 'http://e ol.org/'"),
        ("http://eol..org/", "wanted a host name of letters, digits, '.', '-' and '_'; came 'http://eol..org/'"),
        (
            "http://a\\b@eol.org/",
            "wanted a host without '@'; came 'http://a\\\\b@eol.org/'",
        ),
        ("http://eol.org:0/", "wanted a port from 1 to 65535; came 'http://eol.org:0/'"),
        ("http://eol.org:99999/", "wanted a well-formed URL ('Port out of range 0-65535'); came"),
        ("http://eol.org:x/", 'wanted a well-formed URL ("Port could not be cast'),
        ("http://[::1]eol.org/", "wanted nothing but a port after the bracketed address"),
        ("http://[::1/", "wanted a well-formed URL ('Invalid IPv6 URL'); came 'http://[::1/'"),
        ("http://[fe80::1%eth0]/", "wanted an IPv6 address without a zone"),
        ("http://" + "ä" * 80 + ".de/", "wanted a well-formed URL ("),
        ("http://eol.org/\ud800", "wanted a well-formed URL ("),
    ],
)
def test_what_cannot_be_requested_is_refused_with_what_was_wanted_and_what_came(text: str | None, detail: str) -> None:
    with pytest.raises(BadUrl) as caught:
        check_url(text)
    assert caught.value.detail.startswith(detail)
    assert not is_usable(text)


def test_a_long_url_is_shortened_in_the_message() -> None:
    with pytest.raises(BadUrl) as caught:
        check_url("x" * 10_000)
    assert len(caught.value.detail) < 200


def test_a_csv_written_for_a_spreadsheet_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([["taxon", "image_url"], ['Poa "annua", L.\nsecond line', FLOWER], ["", MOTH]])
    assert urls(path) == [FLOWER, MOTH]
