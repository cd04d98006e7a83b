#include "relay/migrate/sql_text.h"

#include <doctest/doctest.h>

using namespace relay::migrate;

TEST_CASE("psql's variables become constants and identifiers, quoted for any value") {
  CHECK(with_variables("SELECT f(:'t'), :\"n\";", {{"t", "it's"}, {"n", "a\"b"}}) == "SELECT f('it''s'), \"a\"\"b\";");
  CHECK(with_variables("SELECT :'t'", {{"t", R"(back\slash)"}}) == R"(SELECT E'back\\slash')");
}

TEST_CASE("what only looks like a variable stays: casts, comments, constants, identifiers, dollar quotes") {
  const std::string text = "SELECT x::text, ':' || y -- :'t'\n, \":'t'\", ':''t''', $$ :'t' $$, $q$ $$ :'t' $q$, $1;";
  CHECK(with_variables(text, {{"t", "never"}}) == text);
}

TEST_CASE("a file without its transaction keeps everything else, PL/pgSQL's BEGIN too") {
  CHECK(without_transaction("-- c\nBEGIN;\nSET LOCAL x = 1;\nDO $$\nBEGIN\n  NULL;\nEND\n$$;\n\nCOMMIT;\n") ==
        "-- c\nSET LOCAL x = 1;\nDO $$\nBEGIN\n  NULL;\nEND\n$$;\n");
  CHECK(without_transaction("no newline at the end") == "no newline at the end");
}

TEST_CASE("a slug has letters, digits and single underscores, and is never empty") {
  CHECK(slug("public.Orders") == "public_orders");
  CHECK(slug("\"My Shop\".\"a--b\"") == "my_shop_a_b");
  CHECK(slug("\"\u00e4\"") == "table");
}
