#include "relay/migrate/sql_text.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

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
  CHECK(slug("public.orders") == "public_orders");
  CHECK(slug("\"My Shop\".\"a--b\"").starts_with("my_shop_a_b_"));
  CHECK(slug("\"\u00e4\".\"\u00f6\"").starts_with("table_"));
}

TEST_CASE("two names never have one slug") {
  const std::string long_name = "public." + std::string(60, 'a');
  std::set<std::string> slugs;
  const std::vector<std::string> names{
      "public.orders", "public.Orders",       "public.\"Orders\"",   "a.b_c",         "a_b.c",        "a._b", "a.b",
      "a.b_",          "public.\"\u00e4\"", "public.\"\u00f6\"", long_name + "1", long_name + "2"};
  for (const auto& name : names) slugs.insert(slug(name));
  CHECK(slugs.size() == names.size());
}

TEST_CASE("a name that is too long keeps its beginning and what tells it from others") {
  CHECK(short_name("outbox_relay_outbox", 32) == "outbox_relay_outbox");
  const auto made = short_name("outbox_relay_capture_public_orders", 32);
  CHECK(made.size() == 32);
  CHECK(made.starts_with("outbox_relay_capture_pu"));
  CHECK(made != short_name("outbox_relay_capture_public_orderz", 32));
}
