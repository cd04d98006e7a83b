// The configuration of `source.tables`: its fields, its checks, and the plain values made of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connectors/component.h"
#include "connectors/postgres/table_capture.h"

namespace relay::connectors::postgres {

config::FieldSpec tables_field();
void validate_tables(const config::Value& tables, config::Diagnostics& out);
// REQUIRES: validate_tables() found nothing.
std::vector<TableCapture> table_captures(const config::Value& tables);

// Checks of single names, as error messages.
std::optional<std::string> check_name(const std::string& name);
std::optional<std::string> check_table(const std::string& pattern);

}  // namespace relay::connectors::postgres
