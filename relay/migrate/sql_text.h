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

// "public.My Table" as part of a file's name: "public_my_table".
std::string slug(std::string_view text);

}  // namespace relay::migrate
