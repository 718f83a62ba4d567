"""The functions of Spark SQL that a rule may use: what they give depends on nothing but the row."""

from typing import Final

FAMILIES: Final[dict[str, str]] = {
    "text": """
        ascii btrim char char_length character_length chr concat concat_ws contains elt endswith find_in_set
        format_number format_string initcap instr lcase left len length levenshtein like ilike locate lower lpad ltrim
        octet_length overlay position printf replace reverse right rpad rtrim soundex split split_part startswith substr
        substring substring_index translate trim ucase upper""",
    "patterns": """
        regexp regexp_count regexp_extract regexp_extract_all regexp_instr regexp_like regexp_replace regexp_substr
        rlike""",
    "URLs and JSON": """
        get_json_object json_array_length json_object_keys parse_url try_parse_url try_url_decode url_decode
        url_encode""",
    "numbers": """
        abs acos asin atan atan2 bround cbrt ceil ceiling cos degrees exp expm1 factorial floor greatest hypot least ln
        log log10 log1p log2 mod nanvl negative pi pmod positive pow power radians rint round sign signum sin sqrt tan
        try_add try_divide try_mod try_multiply try_subtract width_bucket""",
    "choices": """
        coalesce decode equal_null if ifnull isnan isnotnull isnull nullif nullifzero nvl nvl2 zeroifnull""",
    "lists and maps": """
        aggregate array array_append array_compact array_contains array_distinct array_except array_insert
        array_intersect array_join array_max array_min array_position array_prepend array_remove array_size array_sort
        array_union arrays_overlap cardinality element_at exists filter flatten forall get map map_concat
        map_contains_key map_entries map_filter map_from_arrays map_from_entries map_keys map_values map_zip_with
        named_struct reduce size slice sort_array str_to_map struct transform transform_keys transform_values
        try_element_at zip_with""",
    "dates": """
        add_months date_add date_diff date_format date_from_unix_date date_part date_sub date_trunc datediff datepart
        day dayname dayofmonth dayofweek dayofyear extract from_unixtime from_utc_timestamp hour last_day make_date
        make_timestamp minute month monthname months_between next_day quarter second timestamp_micros timestamp_millis
        timestamp_seconds to_date to_timestamp to_unix_timestamp to_utc_timestamp trunc try_to_date try_to_timestamp
        unix_date unix_micros unix_millis unix_seconds weekday weekofyear year""",
    "types": """
        bigint boolean cast date decimal double float int smallint string timestamp tinyint to_char to_number try_cast
        try_to_number""",
    "hashes": "crc32 hash hex md5 sha sha1 sha2 xxhash64",
}
"""Family -> names, as docs/reference/task-files.md lists them; any other function is refused, whatever it does."""

ALLOWED: Final = frozenset(name for names in FAMILIES.values() for name in names.split())

WHY_NOT: Final[dict[str, str]] = {
    "gives another answer in every run": """
        curdate current_date current_time current_timestamp localtime localtimestamp monotonically_increasing_id now
        rand randn random randstr shuffle spark_partition_id uniform unix_timestamp uuid""",
    "depends on the machine or the session": """
        current_catalog current_database current_path current_schema current_timezone current_user input_file_name
        session_user user version""",
    "runs code of Java": "java_method reflect try_reflect",
    "needs more than the row": """
        any any_value avg bool_and bool_or collect_list collect_set count count_if every explode explode_outer first
        grouping__id inline lag last lead max max_by mean median min min_by mode ntile posexplode rank row_number some
        stack std stddev sum variance""",
}
"""Reason -> functions that people may well try; of others it is said that they are not in the list."""


def reason_against(name: str) -> str:
    """The reason why a function that is not allowed is not, as the end of a sentence; empty where none is written."""
    return next((f", which {reason}" for reason, names in WHY_NOT.items() if name in names.split()), "")
