"""The functions a statement may call, by topic. What is not named here is refused.

The list is DuckDB's functions without those that read files, settings, the environment or the catalogue, run SQL given
as text, take lambdas, wait, or build values of a size that only their arguments bound.
"""

TEXT = """
ascii bit_length char_length character_length chr concat concat_ws contains damerau_levenshtein editdist3 ends_with
format format_bytes hamming ilike_escape instr jaccard jaro_similarity jaro_winkler_similarity lcase left left_grapheme
len length length_grapheme levenshtein like_escape lower lpad ltrim mismatches nfc_normalize not_ilike_escape
not_like_escape octet_length ord overlay parse_dirname parse_filename position prefix printf regexp_escape
regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace regexp_split_to_array repeat replace
reverse right right_grapheme rpad rtrim split split_part starts_with str_split str_split_regex string_split
string_split_regex string_to_array strip_accents strlen strpos substr substring substring_grapheme suffix translate trim
ucase unicode upper url_decode url_encode
"""

CONVERSION = """
base64 bin can_cast_implicitly decode encode from_base64 from_hex gen_random_uuid hash hex md5 md5_number sha1 sha256
to_base to_base64 to_hex typeof unhex uuid
"""

NUMBERS = """
abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees divide even exp
factorial fdiv floor fmod gamma gcd greatest_common_divisor isfinite isinf isnan lcm least_common_multiple lgamma ln log
log10 log2 mod multiply nextafter pi pow power radians random round round_even roundbankers sign signbit sin sinh sqrt
subtract tan tanh trunc xor
"""

DATES_AND_TIMES = """
age century current_date current_localtime current_localtimestamp current_time current_timestamp date date_add date_diff
date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear decade
epoch epoch_ms epoch_ns epoch_us era extract get_current_time get_current_timestamp hour isodow isoyear julian last_day
localtime localtimestamp make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz
microsecond millennium millisecond minute month monthname nanosecond now quarter second strftime strptime time_bucket
timezone timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds to_millennia
to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years today transaction_timestamp
try_strptime week weekday weekofyear year yearweek
"""

CONDITIONALS = """
coalesce greatest if iff ifnull least nullif nvl
"""

LISTS = """
array_append array_cat array_concat array_contains array_distinct array_extract array_has array_has_all array_has_any
array_indexof array_intersect array_length array_max array_min array_position array_prepend array_reverse
array_reverse_sort array_slice array_sort array_to_string array_unique array_value array_where array_zip cardinality
flatten list_any_value list_append list_avg list_bool_and list_bool_or list_cat list_concat list_contains list_count
list_distinct list_element list_extract list_first list_has list_has_all list_has_any list_indexof list_intersect
list_last list_max list_median list_min list_mode list_pack list_position list_prepend list_product list_reverse
list_reverse_sort list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum list_unique list_value
list_var_pop list_var_samp list_where list_zip
"""

STRUCTS_AND_MAPS = """
element_at map map_concat map_contains map_contains_entry map_contains_value map_entries map_extract map_extract_value
map_from_entries map_keys map_values row struct_concat struct_extract struct_insert struct_keys struct_pack
struct_values
"""

JSON = """
array_to_json from_json from_json_strict json json_array json_array_length json_contains json_exists json_extract
json_extract_path json_extract_path_text json_extract_string json_keys json_merge_patch json_object json_pretty
json_quote json_structure json_transform json_transform_strict json_type json_valid json_value row_to_json to_json
"""

AGGREGATES = """
any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_min arg_min_null argmax
argmin array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif covar_pop covar_samp
entropy favg first fsum geomean geometric_mean group_concat grouping grouping_id histogram json_group_array
json_group_object kahan_sum kurtosis kurtosis_pop last list listagg mad max max_by mean median min min_by mode
percentile_cont percentile_disc product quantile quantile_cont quantile_disc regr_avgx regr_avgy regr_count
regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp string_agg sum
sumkahan var_pop var_samp variance wavg weighted_avg
"""

WINDOW_FUNCTIONS = """
cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank rank_dense row_number
"""

TABLE_FUNCTIONS = """
generate_series range unnest
"""

PARSER_SPELLINGS = """
approx_distinct array array_contains_all array_overlaps array_size bitwise_and_agg bitwise_or_agg bitwise_xor_agg
date_bin date_from_parts day_of_month day_of_week day_of_year explode is_inf is_nan j_s_o_n_array j_s_o_n_object
jarowinkler_similarity json_extract_scalar logical_and logical_or pad parse_json rand regexp_like regexp_split
sha2 str_position str_to_time struct time_from_parts time_to_str time_to_unix timestamp_from_parts timestamp_trunc
to_map unix_to_time variance_pop week_of_year
"""
"""Names under which the parser knows some of the functions above."""

OTHER_EVERY_TIME = frozenset({"gen_random_uuid", "rand", "random", "uuid"})
"""The functions that give another value every time they are called."""

TOPICS: dict[str, str] = {
    "text": TEXT,
    "conversion": CONVERSION,
    "numbers": NUMBERS,
    "dates and times": DATES_AND_TIMES,
    "conditionals": CONDITIONALS,
    "lists": LISTS,
    "structs and maps": STRUCTS_AND_MAPS,
    "JSON": JSON,
    "aggregates": AGGREGATES,
    "window functions": WINDOW_FUNCTIONS,
    "table functions": TABLE_FUNCTIONS,
}
"""Topic to function names, as people know them; docs/functions.md has a section for each."""

PUBLIC_FUNCTIONS: frozenset[str] = frozenset(" ".join(TOPICS.values()).split())
"""Every function that a statement may call, in lower case."""

ALLOWED_FUNCTIONS: frozenset[str] = PUBLIC_FUNCTIONS | frozenset(PARSER_SPELLINGS.split())
"""The same, with the parser's own names."""

_OF_MANY_ROWS = frozenset(f"{AGGREGATES} {WINDOW_FUNCTIONS} {TABLE_FUNCTIONS}".split())
FUNCTIONS_OF_ONE_ROW: frozenset[str] = ALLOWED_FUNCTIONS - _OF_MANY_ROWS - {"explode"} - OTHER_EVERY_TIME
"""The functions that give one value for one row, always the same for the same arguments.

Aggregates that the parser has another name for are among them under that name.
"""
