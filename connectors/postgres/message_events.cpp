#include "connectors/postgres/message_events.h"

#include <simdjson.h>

#include <cstring>
#include <utility>

namespace relay::connectors::postgres {
namespace {

namespace json = simdjson::ondemand;

constexpr std::string_view kNoJson = "the message is no JSON";
constexpr std::string_view kNoEvent = "an event must be a JSON object";
constexpr std::string_view kFieldUnknown =
    "the event has a field that is none of id, aggregate_type, aggregate_id, event_type, payload, headers";
constexpr std::string_view kFieldTwice = "the event has a field twice";
constexpr std::string_view kFieldNested = "id, aggregate_type, aggregate_id and event_type must be text or a number";
constexpr std::string_view kHeadersNoObject = "headers must be an object";
constexpr std::size_t kKeepBytes = 4u << 20;  // memory that is kept from message to message

// Thrown and caught in this file only, because each step of simdjson can find that the text is no JSON.
struct Malformed {};

template <typename T>
T need(simdjson::simdjson_result<T> result) {
  T value;
  if (std::move(result).get(value)) throw Malformed{};
  return value;
}

// A string without a character still has an address: it is not NULL.
std::string_view present(std::string_view text) { return text.data() ? text : std::string_view(""); }

std::string_view trimmed(std::string_view text) {
  const auto last = text.find_last_not_of(" \t\n\r");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

// RFC 8259, section 6. Ours, because the library refuses numbers that fit into no machine type, which jsonb may hold.
bool is_number(std::string_view text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const auto integer = at;
  at = digits(text, at);
  if (at == integer || (text[integer] == '0' && at != integer + 1)) return false;
  if (at < text.size() && text[at] == '.') {
    const auto fraction = at + 1;
    at = digits(text, fraction);
    if (at == fraction) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const auto exponent = at;
    at = digits(text, exponent);
    if (at == exponent) return false;
  }
  return at == text.size();
}

std::string_view scalar_of(json::value& value) {
  const auto token = trimmed(value.raw_json_token());
  if (token != "true" && token != "false" && token != "null" && !is_number(token)) throw Malformed{};
  return token;
}

// Every byte of the value is JSON. simdjson checks only what is looked at.
void check(json::value value) {
  switch (need(value.type())) {
    case json::json_type::object:
      for (auto item : need(value.get_object())) {
        auto field = need(std::move(item));
        need(field.unescaped_key());
        check(field.value());
      }
      break;
    case json::json_type::array:
      for (auto item : need(value.get_array())) check(need(std::move(item)));
      break;
    case json::json_type::string: need(value.get_string()); break;
    default: scalar_of(value); break;
  }
}

// The bytes of a value that is no string, as they stand in the message.
std::string_view raw_of(json::value& value) {
  const auto type = need(value.type());
  if (type == json::json_type::object) {
    auto object = need(value.get_object());
    for (auto item : object) {
      auto field = need(std::move(item));
      need(field.unescaped_key());
      check(field.value());
    }
    need(object.reset());
    return trimmed(need(object.raw_json()));
  }
  if (type == json::json_type::array) {
    auto array = need(value.get_array());
    for (auto item : array) check(need(std::move(item)));
    need(array.reset());
    return trimmed(need(array.raw_json()));
  }
  return scalar_of(value);
}

// What a value says: a string's text, other values' bytes, nothing for null.
std::string_view text_of(json::value& value) {
  if (need(value.type()) == json::json_type::string) return present(need(value.get_string()));
  const auto raw = raw_of(value);
  return raw == "null" ? std::string_view{} : raw;
}

bool is_nested(json::value& value) {
  const auto type = need(value.type());
  return type == json::json_type::object || type == json::json_type::array;
}

// The fields of one event. After a problem the rest is still checked, so that what follows it can be read.
class Filler {
 public:
  Filler(MessageEvent& event, std::vector<Header>& headers) : event_(event), headers_(headers) {}

  void field(std::string_view name, json::value value) {
    std::string_view* const roles[] = {&event_.id, &event_.aggregate_type, &event_.aggregate_id, &event_.event_type,
                                       &event_.payload};
    constexpr std::string_view kNames[] = {"id", "aggregate_type", "aggregate_id", "event_type", "payload", "headers"};
    unsigned role = 0;
    while (role < std::size(kNames) && kNames[role] != name) ++role;
    const bool twice = role < std::size(kNames) && (std::exchange(seen_, seen_ | 1u << role) & 1u << role);
    if (role == std::size(kNames)) return refuse(kFieldUnknown, value);
    if (twice) return refuse(kFieldTwice, value);
    if (role == 5) return fill_headers(value);
    if (role < 4 && is_nested(value)) return refuse(kFieldNested, value);
    *roles[role] = text_of(value);
  }

 private:
  void refuse(std::string_view problem, json::value& value) {
    if (event_.problem.empty()) event_.problem = problem;
    check(value);
  }
  void fill_headers(json::value& value) {
    const auto type = need(value.type());
    if (type != json::json_type::object) {
      if (type != json::json_type::null) return refuse(kHeadersNoObject, value);
      (void)scalar_of(value);
      return;
    }
    for (auto item : need(value.get_object())) {
      auto field = need(std::move(item));
      Header header;
      header.name = present(need(field.unescaped_key()));
      json::value content = field.value();
      header.value = text_of(content);
      headers_.push_back(header);
    }
  }

  MessageEvent& event_;
  std::vector<Header>& headers_;  // of all events, one after the other
  unsigned seen_ = 0;
};

}  // namespace

class MessageEvents::Impl {
 public:
  void parse(std::string_view content) {
    const auto kept = keep(content);
    try {
      read(kept);
      hand_out_headers();
    } catch (const Malformed&) {
      events_.assign(1, MessageEvent{});
      events_.front().payload = present(kept);
      events_.front().problem = kNoJson;
    }
  }
  void clear() {
    events_.clear();
    headers_.clear();
    headers_end_.clear();
    if (buffer_.capacity() <= kKeepBytes) return;
    buffer_ = {};
    parser_ = std::make_unique<json::parser>();
  }

  std::vector<MessageEvent> events_;

 private:
  std::string_view keep(std::string_view content) {
    clear();
    buffer_.resize(content.size() + simdjson::SIMDJSON_PADDING);
    if (!content.empty()) std::memcpy(buffer_.data(), content.data(), content.size());
    std::memset(buffer_.data() + content.size(), 0, simdjson::SIMDJSON_PADDING);
    return {buffer_.data(), content.size()};
  }

  void read(std::string_view kept) {
    auto document = need(parser_->iterate(simdjson::padded_string_view(kept.data(), kept.size(), buffer_.size())));
    const auto type = need(document.type());
    if (type == json::json_type::array) {
      for (auto item : need(document.get_array())) add(need(std::move(item)));
    } else if (type == json::json_type::object) {
      add(need(document.get_value()));
    } else {
      auto& event = events_.emplace_back();  // a scalar, or nothing that JSON knows: not worth the difference
      event.payload = present(kept);
      event.problem = kNoEvent;
      return;
    }
    const char* rest = nullptr;
    if (!document.current_location().get(rest)) throw Malformed{};  // something stands behind it
  }

  void add(json::value value) {
    auto& event = events_.emplace_back();
    const auto headers_before = headers_.size();
    fill(value, event);
    if (!event.problem.empty()) headers_.resize(headers_before);
    headers_end_.push_back(headers_.size());
  }

  void fill(json::value& value, MessageEvent& event) {
    if (need(value.type()) != json::json_type::object) {
      event.payload = present(text_of(value));
      event.problem = kNoEvent;
      return;
    }
    auto object = need(value.get_object());
    Filler filler(event, headers_);
    for (auto item : object) {
      auto field = need(std::move(item));
      const auto name = need(field.unescaped_key());
      filler.field(name, field.value());
    }
    if (event.problem.empty()) return;
    const auto problem = event.problem;
    need(object.reset());
    event = MessageEvent{};
    event.payload = trimmed(need(object.raw_json()));
    event.problem = problem;
  }

  void hand_out_headers() {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < headers_end_.size(); begin = headers_end_[i++])
      events_[i].headers = std::span(headers_).subspan(begin, headers_end_[i] - begin);
  }

  std::vector<char> buffer_;
  std::vector<Header> headers_;
  std::vector<std::size_t> headers_end_;  // into headers_, per event
  std::unique_ptr<json::parser> parser_ = std::make_unique<json::parser>();
};

MessageEvents::MessageEvents() : impl_(std::make_unique<Impl>()) {}
MessageEvents::~MessageEvents() = default;

const std::vector<MessageEvent>& MessageEvents::parse(std::string_view content) {
  impl_->parse(content);
  return impl_->events_;
}

const std::vector<MessageEvent>& MessageEvents::events() const { return impl_->events_; }
void MessageEvents::clear() { impl_->clear(); }

}  // namespace relay::connectors::postgres
