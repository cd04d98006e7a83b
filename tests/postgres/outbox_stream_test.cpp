#include "connectors/postgres/outbox_stream.h"

#include <doctest/doctest.h>

#include "tests/postgres/pgoutput_bytes.h"
#include "tests/postgres/stream_messages.h"

using namespace relay;
using namespace relay::connectors::postgres;
using namespace relay::test;

namespace {

constexpr std::uint32_t kOutbox = 100, kOther = 200, kPart0 = 301, kPart1 = 302;

const std::vector<Column> kColumns{{"id", 25, true}, {"aggregatetype"}, {"aggregateid"}, {"type"}, {"payload", 3802}};
std::string outbox_relation() { return relation(kOutbox, "public", "outbox", kColumns); }
Cells row(const std::string& id, const std::string& payload = "{}") { return {id, "order", "7", "created", payload}; }
Cells key(const std::string& id) { return {id, std::nullopt, std::nullopt, std::nullopt, std::nullopt}; }

// A stream, the batch that it fills, and a server whose partition trees the test decides on.
struct Rig {
  SlotSourceConfig config;
  StreamCounters counters;
  std::vector<RootOf> roots;
  int asked = 0;
  OutboxStream stream;
  Batch batch;

  explicit Rig(BatchLimits limits = {})
      : config(standard()),
        stream(
            config,
            {[this]() -> Result<std::vector<RootOf>> {
               ++asked;
               return roots;
             },
             {}},
            counters, Logger()),
        batch(limits) {
    resume({});
  }
  static SlotSourceConfig standard() {
    SlotSourceConfig c;
    c.pipeline = "orders";
    c.publication = "outbox_relay";
    c.outbox_tables = {"public.outbox"};
    return c;
  }

  void resume(const Progress& from) { stream.begin_stream(from, from.end_lsn); }
  Result<void> send(const std::string& message, std::uint64_t lsn = 0) {
    return stream.receive(XLogData{Lsn{lsn}, Lsn{lsn}, 0, message}, batch);
  }
  std::string ids() const {
    std::string out;
    for (const auto& e : batch.events()) out += (out.empty() ? "" : " ") + std::string(e.id);
    return out;
  }
};

std::string code(const Result<void>& result) { return result ? "" : result.error().code; }

}  // namespace

TEST_CASE("a recorded transaction becomes events with their place") {
  Rig rig;
  rig.config.columns.aggregate_type = rig.config.columns.aggregate_id = "";
  std::uint64_t lsn = 0x194f400;
  for (const auto hex : test::kInsert.messages) {
    const auto bytes = from_hex(hex);
    REQUIRE(rig.send(bytes, bytes[0] == 'I' ? lsn += 16 : 0));
  }
  REQUIRE(rig.batch.events().size() == 2);
  const auto& event = rig.batch.events()[0];
  CHECK(event.id == "1");
  CHECK(event.event_type == "created");
  CHECK(event.payload == R"({"n": 1})");
  CHECK(event.aggregate_type.data() == nullptr);
  CHECK(event.source_table == "public.outbox");
  CHECK(event.commit_lsn == Lsn{0x194f578});
  CHECK(event.change_lsn == Lsn{0x194f410});
  CHECK(event.ordinal == 1);
  CHECK(event.xid == 0x2de);
  CHECK(event.commit_time_us > 1'700'000'000'000'000);
  CHECK(rig.batch.at_boundary());
  CHECK(rig.batch.position() ==
        Position{Lsn{0x194f578}, Lsn{0x194f5a8}, {}, 0, 0x2de, rig.batch.events()[0].commit_time_us});
  CHECK(rig.batch.end_lsn() == Lsn{0x194f5a8});
  CHECK(rig.batch.events()[1].disposition == Disposition::reject);
  CHECK(rig.batch.events()[1].reject_code == "payload_null");
}

TEST_CASE("updates, deletes, truncates and messages are ignored and counted") {
  Rig rig;
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(update(kOutbox, row("1")), 900));
  REQUIRE(rig.send(deletion(kOutbox, key("1")), 910));
  REQUIRE(rig.send(truncate(kOutbox), 920));
  REQUIRE(rig.send(from_hex(test::kNonTransactionalMessage.messages[0]), 930));
  REQUIRE(rig.send(commit(1000)));
  CHECK(rig.batch.empty());
  CHECK(rig.counters.ignored_updates == 1);
  CHECK(rig.counters.ignored_deletes == 1);
  CHECK(rig.counters.ignored_truncates == 1);
  CHECK(rig.counters.ignored_messages == 1);
  CHECK(rig.batch.has_boundary());
  CHECK(rig.batch.end_lsn() == Lsn{1048});
  CHECK(rig.batch.position().xid == 0);  // nothing of it was taken
}

TEST_CASE("a row that is inserted and deleted in one transaction is delivered") {
  Rig rig;
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(insert(kOutbox, row("1")), 900));
  REQUIRE(rig.send(deletion(kOutbox, key("1")), 910));
  REQUIRE(rig.send(commit(1000)));
  CHECK(rig.ids() == "1");
}

TEST_CASE("a transaction larger than the batch is split with a boundary inside, and goes on after it") {
  Rig rig({2, 1u << 20, 2, 1u << 20});
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(insert(kOutbox, row("1")), 900));
  CHECK_FALSE(rig.batch.full());
  REQUIRE(rig.send(insert(kOutbox, row("2")), 900));
  REQUIRE(rig.batch.full());
  CHECK(rig.batch.at_boundary());
  const auto inside = rig.batch.position();
  CHECK(inside.inside_transaction());
  CHECK(inside.change_lsn == Lsn{900});
  CHECK(inside.ordinal == 2);
  CHECK_FALSE(inside.end_lsn);

  SUBCASE("on the same connection") {
    rig.batch.clear(0);
    REQUIRE(rig.send(insert(kOutbox, row("3")), 910));
    REQUIRE(rig.send(commit(1000)));
    CHECK(rig.ids() == "3");
  }
  SUBCASE("on another one, from the stored position") {
    Progress from;
    from.position = inside;
    from.end_lsn = rig.batch.end_lsn();
    rig.batch.clear(0);
    rig.resume(from);
    for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
    for (const auto* id : {"1", "2"}) REQUIRE(rig.send(insert(kOutbox, row(id)), 900));
    REQUIRE(rig.send(insert(kOutbox, row("3")), 910));
    REQUIRE(rig.send(commit(1000)));
    CHECK(rig.ids() == "3");
  }
  CHECK_FALSE(rig.batch.position().inside_transaction());
  CHECK(rig.batch.position().commit_lsn == Lsn{1000});
}

TEST_CASE("a published table that nobody configured is refused, or ignored when that is declared") {
  Rig rig;
  for (const auto& m : {begin(1000, 7), relation(kOther, "public", "other", {{"a"}})}) REQUIRE(rig.send(m));
  SUBCASE("refused") {
    const auto refused = rig.send(insert(kOther, {"1"}), 900);
    CHECK(code(refused) == "relation_unmatched");
    CHECK(refused.error().kind == ErrorKind::fatal);
  }
  SUBCASE("ignored") {
    rig.config.unmatched_tables_ignored = true;
    REQUIRE(rig.send(insert(kOther, {"1"}), 900));
    REQUIRE(rig.send(commit(1000)));
  }
  CHECK(rig.batch.empty());
}

TEST_CASE("the relay's own tables are nobody's events, also when a publication names all tables") {
  Rig rig;
  for (const auto& m : {begin(1000, 7), relation(kOther, "outbox_relay", "progress", {{"pipeline", 25, true}})})
    REQUIRE(rig.send(m));
  REQUIRE(rig.send(insert(kOther, {"orders"}), 900));
  REQUIRE(rig.send(commit(1000)));
  CHECK(rig.batch.empty());
}

TEST_CASE("a table may be altered while running as long as the columns with a role stay") {
  Rig rig;
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(insert(kOutbox, row("1")), 900));
  REQUIRE(rig.send(commit(1000)));
  const std::string_view table = rig.batch.events()[0].source_table;

  // A column added in front, another one gone from the end, a type changed.
  const std::vector<Column> altered{{"tenant"}, {"id", 2950, true}, {"payload", 114},
                                    {"type"},   {"aggregateid"},    {"aggregatetype"}};
  for (const auto& m : {begin(2000, 8), relation(kOutbox, "public", "outbox", altered)}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(insert(kOutbox, {"t1", "2", "[]", "paid", "9", "cart"}), 1900));
  REQUIRE(rig.send(commit(2000)));
  const auto& second = rig.batch.events()[1];
  CHECK(second.id == "2");
  CHECK(second.payload == "[]");
  CHECK(second.aggregate_type == "cart");
  CHECK(table == "public.outbox");  // the first event's mapping is still alive

  auto renamed = altered;
  renamed[2].name = "body";
  for (const auto& m : {begin(3000, 9), relation(kOutbox, "public", "outbox", renamed)}) REQUIRE(rig.send(m));
  CHECK(rig.send(update(kOutbox, {"t1", "2", "[]", "paid", "9", "cart"}), 2890));
  const auto refused = rig.send(insert(kOutbox, {"t1", "3", "[]", "paid", "9", "cart"}), 2900);
  CHECK(code(refused) == "outbox_column_missing");
  CHECK(refused.error().kind == ErrorKind::fatal);
  CHECK(rig.batch.events().size() == 2);
}

TEST_CASE("rows of partitions arrive under the name of the root") {
  Rig rig;
  rig.roots = {{kPart0, "public.outbox"}, {kPart1, "public.outbox"}};
  for (const auto& m : {begin(1000, 7), relation(kPart0, "public", "outbox_p0", kColumns)}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(insert(kPart0, row("1")), 900));
  REQUIRE(rig.send(commit(1000)));
  CHECK(rig.batch.events()[0].source_table == "public.outbox");
  CHECK(rig.asked == 1);

  SUBCASE("the server is asked again for a partition that it made later") {
    rig.roots.push_back({303, "public.outbox"});
    for (const auto& m : {begin(2000, 8), relation(303, "public", "outbox_p2", kColumns)}) REQUIRE(rig.send(m));
    REQUIRE(rig.send(insert(303, row("2")), 1900));
    CHECK(rig.asked == 2);
    CHECK(rig.ids() == "1 2");
  }
  SUBCASE("a table of its own that was attached meanwhile is a partition from its next description on") {
    rig.config.outbox_tables.push_back("public.later");
    for (const auto& m : {begin(2000, 8), relation(404, "public", "later", kColumns)}) REQUIRE(rig.send(m));
    REQUIRE(rig.send(insert(404, row("2")), 1900));
    rig.roots.push_back({404, "public.outbox"});
    for (const auto& m : {commit(2000), begin(3000, 9), relation(404, "public", "later", kColumns)}) REQUIRE(rig.send(m));
    REQUIRE(rig.send(insert(404, row("3")), 2900));
    CHECK(rig.batch.events()[1].source_table == "public.later");
    CHECK(rig.batch.events()[2].source_table == "public.outbox");
  }
  SUBCASE("a row that moves to another partition is no new event") {
    for (const auto& m : {begin(2000, 8), relation(kPart1, "public", "outbox_p1", kColumns)}) REQUIRE(rig.send(m));
    REQUIRE(rig.send(deletion(kPart0, key("1")), 1900));
    REQUIRE(rig.send(insert(kPart1, row("1")), 1910));
    REQUIRE(rig.send(insert(kPart1, row("2")), 1920));
    REQUIRE(rig.send(commit(2000)));
    CHECK(rig.ids() == "1 2");
    CHECK(rig.counters.row_moves == 1);
    CHECK(rig.counters.ignored_deletes == 1);
  }
  SUBCASE("a delete of another transaction makes no move") {
    REQUIRE(rig.send(begin(2000, 8)));
    REQUIRE(rig.send(deletion(kPart0, key("1")), 1900));
    for (const auto& m : {commit(2000), begin(3000, 9)}) REQUIRE(rig.send(m));
    REQUIRE(rig.send(insert(kPart0, row("1")), 2900));
    REQUIRE(rig.send(commit(3000)));
    CHECK(rig.ids() == "1 1");
  }
}

TEST_CASE("a row moves within a tree that is published through its root, too") {
  Rig rig;
  rig.roots = {{kPart0, "public.outbox"}};
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(deletion(kOutbox, key("1")), 900));
  REQUIRE(rig.send(insert(kOutbox, row("1")), 910));
  CHECK(rig.batch.empty());
  CHECK(rig.counters.row_moves == 1);
}

TEST_CASE("in a plain table a row may be deleted and inserted anew with the same id") {
  Rig rig;
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(deletion(kOutbox, key("1")), 900));
  REQUIRE(rig.send(insert(kOutbox, row("1")), 910));
  CHECK(rig.ids() == "1");
}

TEST_CASE("the second half of a move is recognised although the first was handed over in an earlier batch") {
  Rig rig;
  rig.roots = {{kPart0, "public.outbox"}, {kPart1, "public.outbox"}};
  Progress from;
  from.position = {Lsn{1000}, {}, Lsn{900}, 1, 7, pgoutput::unix_micros(1'000'000)};
  from.end_lsn = Lsn{500};
  rig.resume(from);
  for (const auto& m : {begin(1000, 7), relation(kPart0, "public", "outbox_p0", kColumns)}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(deletion(kPart0, key("1")), 900));
  REQUIRE(rig.send(insert(kPart0, row("1")), 910));
  REQUIRE(rig.send(commit(1000)));
  CHECK(rig.batch.empty());
}

TEST_CASE("what pgoutput cannot send here is corrupt") {
  Rig rig;
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  const auto unknown = rig.send(insert(999, row("1")), 900);
  CHECK(code(unknown) == "pgoutput_malformed");
  const auto narrow = rig.send(insert(kOutbox, {"1"}), 900);
  CHECK(code(narrow) == "pgoutput_malformed");
  auto toast = insert(kOutbox, row("1"));
  toast.resize(toast.size() - 7);
  CHECK(code(rig.send(toast + "u", 900)) == "pgoutput_malformed");
  CHECK(code(rig.send(from_hex(test::kStreamed.messages[0]))) == "pgoutput_malformed");
  CHECK(code(rig.send(from_hex(test::kPrepared.messages[0]))) == "pgoutput_malformed");
  CHECK(rig.batch.empty());
}

TEST_CASE("after a resumed initial read, a change of an existing row is refused before it is passed") {
  Rig rig;
  Progress from;
  from.end_lsn = Lsn{500};
  from.snapshot.consistent_point = Lsn{500};
  from.snapshot.resumed = 1;
  from.snapshot.resumed_at = Lsn{2500};
  rig.resume(from);
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(insert(kOutbox, row("new")), 900));
  REQUIRE(rig.send(commit(1000)));

  SUBCASE("rows that came with the stream may change") {
    REQUIRE(rig.send(begin(2000, 8)));
    REQUIRE(rig.send(update(kOutbox, row("new")), 1900));
    REQUIRE(rig.send(deletion(kOutbox, key("new")), 1910));
    CHECK(rig.send(commit(2000)));
  }
  SUBCASE("an older row may not") {
    REQUIRE(rig.send(begin(2000, 8)));
    REQUIRE(rig.send(deletion(kOutbox, key("old-1")), 1900));
    REQUIRE(rig.send(update(kOutbox, row("old-2")), 1910));
    const auto refused = rig.send(commit(2000));
    CHECK(code(refused) == "snapshot_rows_changed");
    CHECK(refused.error().message.find("2 existing rows were changed (ids old-1, old-2)") != std::string::npos);
    CHECK(rig.batch.end_lsn() == Lsn{1048});  // the position stays before it
  }
  SUBCASE("a changed key names the old one") {
    REQUIRE(rig.send(begin(2000, 8)));
    REQUIRE(rig.send(update_key(kOutbox, key("old-1"), row("new")), 1900));
    CHECK(rig.send(commit(2000)).error().message.find("old-1") != std::string::npos);
  }
  SUBCASE("the table may not be truncated") {
    REQUIRE(rig.send(begin(2000, 8)));
    REQUIRE(rig.send(truncate(kOutbox), 1900));
    CHECK(code(rig.send(commit(2000))) == "snapshot_rows_changed");
  }
  SUBCASE("unless it is only to be reported") {
    rig.config.on_changed_row = OnChangedRow::report;
    REQUIRE(rig.send(begin(2000, 8)));
    REQUIRE(rig.send(deletion(kOutbox, key("old-1")), 1900));
    CHECK(rig.send(commit(2000)));
  }
  SUBCASE("after the read was resumed, it sees the change itself") {
    REQUIRE(rig.send(begin(3000, 8)));
    REQUIRE(rig.send(deletion(kOutbox, key("old-1")), 2900));
    CHECK(rig.send(commit(3000)));
  }
}

TEST_CASE("an initial read that was never interrupted minds no change") {
  Rig rig;
  Progress from;
  from.end_lsn = from.snapshot.consistent_point = Lsn{500};
  rig.resume(from);
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(deletion(kOutbox, key("old")), 900));
  CHECK(rig.send(commit(1000)));
}

// ---- logical messages

namespace {

std::string list(int first, int last) {
  std::string out;
  for (int i = first; i <= last; ++i)
    out += (out.empty() ? "" : ",") + std::string(R"({"id":")") + std::to_string(i) + R"(","payload":{}})";
  return "[" + out + "]";
}

}  // namespace

TEST_CASE("messages with our prefix are events with their place, and all others are ignored and counted") {
  Rig rig;
  rig.config.messages = MessageSource{"outbox", false};
  for (const auto& m : {begin(1000, 7), outbox_relation()}) REQUIRE(rig.send(m));
  REQUIRE(rig.send(insert(kOutbox, row("r1")), 900));
  REQUIRE(rig.send(message(910, "outbox", R"([{"id":"m1","payload":1},{"payload":2}])"), 910));
  REQUIRE(rig.send(message(920, "somebody else", "x"), 920));
  REQUIRE(rig.send(message(930, "outbox", R"({"id":"never","payload":1})", false), 930));
  REQUIRE(rig.send(message(940, "outbox", "[]"), 940));
  REQUIRE(rig.send(message(950, "outbox", "no JSON"), 950));
  REQUIRE(rig.send(insert(kOutbox, row("r2")), 960));
  REQUIRE(rig.send(commit(1000)));
  CHECK(rig.ids() == "r1 m1 0/3E8-0/38E-2 0/3E8-0/3B6-1 r2");
  CHECK(rig.counters.ignored_messages == 2);
  const auto& events = rig.batch.events();
  CHECK(events[1].source_table == "outbox");
  CHECK(events[1].commit_lsn == Lsn{1000});
  CHECK(events[1].change_lsn == Lsn{910});
  CHECK(events[2].ordinal == 2);
  CHECK(events[2].payload == "2");
  CHECK(events[2].disposition == Disposition::deliver);
  CHECK(events[3].disposition == Disposition::reject);
  CHECK(events[3].reject_code == "message_malformed");
  CHECK(events[3].payload == "no JSON");
}

TEST_CASE("a message of many events fills one batch after the other, and each end is a place to resume at") {
  BatchLimits limits;
  limits.events_target = limits.events_max = 3;
  for (int resume_after = 1; resume_after <= 3; ++resume_after) {
    Rig first(limits);
    first.config.messages = MessageSource{"outbox", false};
    REQUIRE(first.send(begin(1000, 7)));
    REQUIRE(first.send(message(910, "outbox", list(1, 8)), 910));
    std::string seen = first.ids();
    for (int batches = 1; batches < resume_after; ++batches) {
      REQUIRE(first.stream.has_more());
      first.batch.clear(1 << 20);
      REQUIRE(first.stream.go_on(first.batch));
      seen += " " + first.ids();
    }
    const bool inside = resume_after < 3;
    REQUIRE(first.stream.has_more() == inside);
    if (!inside) REQUIRE(first.send(commit(1000)));
    REQUIRE(first.batch.at_boundary());
    CHECK(first.batch.position().inside_transaction() == inside);

    Progress stored;
    stored.position = first.batch.position();
    stored.end_lsn = first.batch.end_lsn();
    Rig second;
    second.config.messages = MessageSource{"outbox", false};
    second.resume(stored);
    REQUIRE(second.send(begin(1000, 7)));
    REQUIRE(second.send(message(910, "outbox", list(1, 8)), 910));
    REQUIRE(second.send(commit(1000)));
    CHECK(seen + (inside ? " " : "") + second.ids() == "1 2 3 4 5 6 7 8");
  }
}

TEST_CASE("an event whose payload is null is rejected, or a tombstone when asked for") {
  for (const bool tombstone : {false, true}) {
    Rig rig;
    rig.config.messages = MessageSource{"outbox", tombstone};
    REQUIRE(rig.send(begin(1000, 7)));
    REQUIRE(rig.send(message(910, "outbox", R"({"id":"1","payload":null})"), 910));
    REQUIRE(rig.batch.events().size() == 1);
    CHECK(rig.batch.events()[0].is_tombstone());
    CHECK((rig.batch.events()[0].disposition == Disposition::reject) == !tombstone);
  }
}
