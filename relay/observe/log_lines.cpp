#include "relay/observe/log_lines.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "relay/observe/escape.h"

namespace relay::observe {
namespace {

constexpr std::array<std::string_view, 4> kReserved{"ts", "level", "event", "message"};

std::string number(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return std::string(text.data(), end);
}

// Everything but texts, in a form that JSON and people both read.
std::string plain(const LogValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* n = std::get_if<std::int64_t>(&value)) return std::to_string(*n);
  if (const auto* n = std::get_if<std::uint64_t>(&value)) return std::to_string(*n);
  return number(std::get<double>(value));
}

bool is_empty_text(const LogField& field) {
  const auto* text = std::get_if<std::string>(&field.value);
  return text != nullptr && text->empty();
}

// Calls `each` for every field that is to be shown, the bound ones first.
template <typename Each>
void visit(const LogRecord& record, const Each& each) {
  const auto replaced = [&](const LogField& bound) {
    return std::any_of(record.fields.begin(), record.fields.end(),
                       [&](const LogField& f) { return f.key == bound.key; });
  };
  for (const auto& field : record.bound)
    if (!is_empty_text(field) && !replaced(field)) each(field);
  for (const auto& field : record.fields)
    if (!is_empty_text(field)) each(field);
}

void append_json_field(std::string& out, const LogField& field) {
  const bool reserved = std::find(kReserved.begin(), kReserved.end(), field.key) != kReserved.end();
  out += ',';
  append_json_string(out, reserved ? field.key + "_" : field.key);
  out += ':';
  const auto* real = std::get_if<double>(&field.value);
  if (const auto* text = std::get_if<std::string>(&field.value))
    append_json_string(out, *text);
  else if (real != nullptr && !std::isfinite(*real))
    out += "null";
  else
    out += plain(field.value);
}

void append_text_value(std::string& out, const LogValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) {
    out += plain(value);
  } else if (text->find_first_of(" \"=\n\t\r") != std::string::npos) {
    append_json_string(out, *text);
  } else {
    append_printable(out, *text);
  }
}

std::string_view colour_of(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
    case LogLevel::debug:
      return "\033[2m";
    case LogLevel::info:
      return "\033[32m";
    case LogLevel::warn:
      return "\033[33m";
    case LogLevel::error:
      return "\033[1;31m";
  }
  return "";
}

// A hint may be several lines: SQL to copy. Each is indented under the message.
void append_hint(std::string& out, std::string_view hint) {
  std::string_view lead = "\n  hint: ";
  while (true) {
    const auto end = hint.find('\n');
    out += lead;
    append_printable(out, hint.substr(0, end));
    if (end == std::string_view::npos) return;
    hint.remove_prefix(end + 1);
    lead = "\n        ";
  }
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return "trace";
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

std::string timestamp(std::int64_t unix_micros, bool millis) {
  constexpr std::int64_t kSecond = 1'000'000;
  auto seconds = static_cast<std::time_t>(unix_micros / kSecond);
  auto micros = unix_micros % kSecond;
  if (micros < 0) {
    micros += kSecond;
    --seconds;
  }
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const auto fraction = static_cast<int>(millis ? micros / 1000 : micros);
  std::snprintf(text.data() + length, text.size() - length, millis ? ".%03dZ" : ".%06dZ", fraction);
  return text.data();
}

std::string json_line(const LogRecord& record) {
  std::string out = "{\"ts\":\"" + timestamp(record.unix_micros) + "\",\"level\":\"";
  out += to_string(record.level);
  out += "\",\"event\":";
  append_json_string(out, record.event);
  out += ",\"message\":";
  append_json_string(out, record.message);
  visit(record, [&](const LogField& field) { append_json_field(out, field); });
  out += '}';
  return out;
}

std::string text_line(const LogRecord& record, bool colour) {
  const auto paint = [&](std::string_view code) { return colour ? code : std::string_view(); };
  std::string out(paint("\033[2m"));
  out += timestamp(record.unix_micros, true);
  out += paint("\033[m");
  out += ' ';
  std::string name(to_string(record.level));
  for (auto& c : name) c = static_cast<char>(c - 'a' + 'A');
  out += paint(colour_of(record.level));
  out += name;
  out += paint("\033[m");
  out.append(6 - name.size(), ' ');
  append_printable(out, record.message);
  std::string_view hint;
  out += paint("\033[2m");
  visit(record, [&](const LogField& field) {
    const auto* text = std::get_if<std::string>(&field.value);
    if (field.key == "hint" && text != nullptr) {
      hint = *text;
      return;
    }
    out += ' ';
    append_printable(out, field.key);
    out += '=';
    append_text_value(out, field.value);
  });
  if (!record.event.empty()) {
    out += " event=";
    append_printable(out, record.event);
  }
  out += paint("\033[m");
  if (!hint.empty()) append_hint(out, hint);
  return out;
}

}  // namespace relay::observe
