// What is done to the text of a file of sql/ before a tool, or the relay, executes it. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace relay::migrate {

// psql's variables: :'name' becomes a text constant, :"name" an identifier, as psql -v name=... would write them. Not
// inside comments, constants, identifiers or dollar quotes. Every variable that the text names must be there.
std::string with_variables(std::string_view text, const std::map<std::string, std::string>& variables);

// Without the lines "BEGIN;" and "COMMIT;", for tools that begin the transaction themselves.
std::string without_transaction(std::string_view text);

std::string sql_literal(std::string_view text);
std::string sql_identifier(std::string_view name);

// "public.orders" as part of a file's name: "public_orders". Of other names the words and a hash, so that two names do
// not become one: "public.My Table" -> "public_my_table_1a2b3c4d".
std::string slug(std::string_view text);

// A name of at most `most` characters: of a longer one the beginning and a hash.
std::string short_name(std::string_view name, std::size_t most);

}  // namespace relay::migrate
