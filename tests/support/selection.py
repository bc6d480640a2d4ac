"""Which tests `make test` leaves to `make check-all`, and how many examples each property gets.

`make test` runs each test that is not marked `slow` on SQLite, and on PostgreSQL only the modules
of BOTH_ENGINES. Without `-m "not slow"`, pytest runs everything on both engines but for the modules of NO_ENGINE.
"""

import pytest
from hypothesis import settings

# Modules whose subject an engine can decide, and how.
BOTH_ENGINES = {
    "test_aggregate": "sums, groups and decimals are computed in SQL",
    "test_changes": "order of commits, and waiting for those of other processes",
    "test_facets": "counts are made in SQL",
    "test_import_bounds": "quotas, chunks and deletion are statements under locks",
    "test_import_runs": "claims are taken and renewed under locks",
    "test_index": "each engine has its own tables for search",
    "test_key_events": "counts are added up under the writer lock",
    "test_key_powers": "rights are read again under the writer lock",
    "test_keys": "comparison of instants, and counters of use",
    "test_races": "locks and isolation",
    "test_row_writes": "each engine receives rows in its own way",
    "test_reading": "sort order, collation and row comparison of cursors",
    "test_schema": "migrations",
    "test_search": "each engine finds candidates in its own way",
    "test_timeline": "unions and sort order",
    "test_write_groups": "transactions, constraints and failed commits",
    "test_writes": "transactions and constraints",
}

# Tests of those modules that run on SQLite alone, and why.
ONE_ENGINE = {
    "test_every_mistake_is_told_with_its_place": "they never reach the engine",
    "test_a_count_is_what_the_list_finds": "test_counts_hold_under_other_filters runs the same SQL and more",
    "test_opposite_parameters_agree_with_includes": "the SQL of filters and includes, which other tests run",
    "test_a_list_finds_what_search_finds": "the SQL of search, which other tests run",
}

# Modules of what happens before a database is asked, or beside it. They run on SQLite alone, in the whole suite too.
NO_ENGINE = {
    "test_agents": "what tools answer is made of responses of the API",
    "test_cache_keys": "headers, and which responses differ",
    "test_codelists": "code lists",
    "test_contract": "the contract, and responses that have its shape",
    "test_docs": "texts",
    "test_examples": "programs that use the API",
    "test_explorer": "pages made of responses of the API",
    "test_exported_pages": "tables made of responses of the API",
    "test_geojson": "another form of lists",
    "test_iati": "files made of what lists find",
    "test_iati_imports": "what files of others say; their lines are written as those of any file",
    "test_import_files": "what cells say",
    "test_import_links": "names are looked up as test_import_identity looks up records",
    "test_import_results": "what a run says of lines",
    "test_list_plans": "the plans of SQLite",
    "test_log_positions": "headers, and the numbers of Changes that a process knows",
    "test_litestream": "a copy of the file of SQLite",
    "test_mappings": "what the columns of a file are",
    "test_metadata": "descriptions of the lists",
    "test_pages": "pages of the docs",
    "test_permissions": "which key may do what is decided before a write",
    "test_python_client": "requests of a client",
    "test_prefilled": "the examples of the contract",
    "test_read_nodes": "what a server refers to another one, and the numbers of Changes that it waits for",
    "test_request_headers": "headers",
    "test_root_path": "paths in responses",
    "test_translation": "messages",
    "test_urls": "values of URLs",
    "test_varnish": "what a cache in front of the server keeps",
}

# Tests of those modules that run on PostgreSQL all the same.
EACH_ENGINE = {"test_both_engines_write_the_same_bytes", "test_nobody_sees_time_run_backwards"}

# Modules that start many processes or take their time by intent.
SLOW = {
    "test_bench": "measures",
    "test_cluster": "starts and kills three PostgreSQL, three etcd and two servers",
    "test_contributing": "runs make, ruff and pytest on a copy of the tree",
    "test_examples": "each test starts a server and several programs",
    "test_litestream": "starts servers and Litestream, and waits for its copies",
    "test_recovery": "stops and starts a PostgreSQL",
    "test_replicas": "stops and starts three PostgreSQL",
    "test_torture": "kills, crowds and stalls servers",
    "test_varnish": "starts servers and Varnish, and waits for the second deletion",
}

# Modules with the longest tests: they start first, so that no worker is left alone with one of them at the end.
LONGEST = {
    *("test_guides", "test_torture", "test_contributing", "test_recovery", "test_import_runs", "test_mirror"),
    *("test_workbooks", "test_cluster"),
}


def engine_of(item: pytest.Item) -> str | None:
    """The engine of a test, if it has one."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("engine")) if callspec else None


def is_superfluous(item: pytest.Item) -> bool:
    """Whether a test runs on PostgreSQL, and no engine can change its outcome."""
    if getattr(item, "originalname", item.name) in EACH_ENGINE:
        return False
    return item.path.stem in NO_ENGINE and engine_of(item) == "postgresql"


def is_slow(item: pytest.Item) -> bool:
    """Whether the module of a test, or its engine, leaves it to the whole suite."""
    module = item.path.stem
    both = module in BOTH_ENGINES and getattr(item, "originalname", item.name) not in ONE_ENGINE
    return module in SLOW or (engine_of(item) == "postgresql" and not both)


settings.register_profile("fast", max_examples=10)


def examples(whole: int) -> int:
    """How many examples a property gets: `whole` of them, or a tenth in the profile `fast`."""
    return max(3, whole * settings().max_examples // 100)
