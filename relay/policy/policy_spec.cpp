// The fields of a policy file, described once.
#include "relay/policy/policy_file.h"

namespace relay::policy {
namespace {

using namespace config;

constexpr const char* kPlainName = "[A-Za-z0-9_-]{1,40}";
constexpr const char* kPlainNameHelp = "1 to 40 letters, digits, hyphens and underscores";

FieldSpec rule_spec(std::string name, std::string description) {
  return object(
             std::move(name), std::move(description),
             {text("action", "What happens to the value.")
                  .one_of({"keep", "drop", "null", "replace", "mask", "truncate", "email", "hash", "encrypt",
                           "generalise", "detect"})
                  .null_means("null")
                  .require(),
              text("key", "hash, encrypt: the id of a key. email: the local part is hashed with it instead of masked."),
              text("join",
                   "hash, encrypt, email: fields with the same name here share a key, so that equal values of "
                   "them give equal results.")
                  .matching(kPlainName, kPlainNameHelp),
              text("class", "The class of data, for people and for the header ce_dataclassification.")
                  .matching("[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}",
                            "1 to 40 letters, digits, spaces, dots, hyphens and underscores")
                  .for_example("personal"),
              text("with", "replace: the text that takes the value's place."),
              integer("keep_first", "mask: so many characters at the beginning stay.").between(0, 1'000),
              integer("keep_last", "mask: so many characters at the end stay.").between(0, 1'000),
              integer("length", "truncate: so many characters stay.").between(0, 1'000'000),
              text("to",
                   "generalise: of a date its year, month or day; of an IP address its network (/24, or /48 of IPv6).")
                  .one_of({"year", "month", "day", "network"}),
              integer("bucket", "generalise: of a number the lower end of its bucket of this width.")
                  .between(1, 1'000'000'000),
              list("find", "detect: what is taken out of the text; default: all three.",
                   text("", "A detector.").one_of({"email", "card", "iban"}))
                  .or_one(),
              map("patterns", "detect: further RE2 expressions, by the name that takes the place of what they find.",
                  text("", "An expression."))
                  .keys_matching(kPlainName, kPlainNameHelp)
                  .for_example("customer_no")})
      .short_for("action")
      .null_means("null");
}

FieldSpec match_list(std::string name, std::string description) {
  return list(std::move(name), std::move(description), text("", "A value; `*`: any.")).or_one();
}

FieldSpec match_spec() {
  return object("match", "Which events the block is for: those for which every line holds.",
                {match_list("aggregate_type", "Aggregate types.").for_example("order"),
                 match_list("event_type", "Event types.").for_example("[order_placed, order_paid]"),
                 match_list("table", "Tables that rows come from, as schema.table.").for_example("public.customers")})
      .require();
}

FieldSpec block_spec() {
  return object(
      "", "",
      {match_spec(),
       rule_spec("id",
                 "The event's id, by which consumers recognise what comes twice: keep (the default), hash or encrypt."),
       rule_spec("key", "The aggregate id, by which a broker keeps events in order; always written out.").require(),
       rule_spec("aggregate_type", "The aggregate type, when `match` does not name its values."),
       rule_spec("event_type", "The event type, when `match` does not name its values."),
       map("headers", "Headers by name; one that is not named does not leave.", rule_spec("", "A rule.")),
       map("payload",
           "JSON paths, each with a rule; always written out, `{}` for none. What no path is for does not leave; `$: "
           "keep` is all of it.",
           rule_spec("", "A rule."))
           .for_example("$.order_id")});
}

}  // namespace

FieldSpec policy_spec() {
  auto key = object("", "",
                    {path("file", "Holds the key.").for_example("/etc/outbox-relay/keys/pii_2026"),
                     path("directory", "A mounted secret; the file in it has the key's id as its name."),
                     text("environment", "A variable that holds the key.").for_example("PII_2026"),
                     text("encoding", "How it is written.").one_of({"base64", "hex", "raw"}).defaults("base64")});
  return object(
      "", "",
      {integer("version", "Version of this format.").between(1, 1).require(),
       text("default", "What happens to what no rule names: it does not leave.").one_of({"deny"}).defaults("deny"),
       map("keys", "Keys by their ids, which become part of what leaves; each from a file, a directory or a variable.",
           std::move(key))
           .keys_matching("[A-Za-z0-9_-]{1,20}", "1 to 20 letters, digits, hyphens and underscores")
           .for_example("pii_2026"),
       list("events", "The first block that matches an event says what leaves of it; an event without one is blocked.",
            block_spec())
           .require()});
}

}  // namespace relay::policy
