#include "connectors/postgres/silence_watch.h"

#include <doctest/doctest.h>

using namespace relay;
using namespace relay::connectors::postgres;

TEST_CASE("a silent server is asked first and given up on later") {
  SilenceWatch watch;
  SteadyTime t{};
  watch.listen_from(t);
  CHECK_FALSE(watch.should_ask(t + std::chrono::seconds(19)));
  CHECK(watch.should_ask(t + std::chrono::seconds(20)));
  CHECK_FALSE(watch.is_over(t + std::chrono::seconds(59)));
  CHECK(watch.is_over(t + std::chrono::seconds(60)));
  watch.heard(t + std::chrono::seconds(30));
  CHECK_FALSE(watch.is_over(t + std::chrono::seconds(60)));
}

TEST_CASE("patience doubles after each time-out, until the stream gets further than ever before") {
  SilenceWatch watch;
  watch.reached(Lsn{1000});
  watch.timed_out();
  watch.timed_out();
  CHECK(watch.limit() == SilenceWatch::kFirst * 4);
  watch.reached(Lsn{900});  // after a reconnect the server repeats what was seen
  watch.reached(Lsn{1000});
  CHECK(watch.limit() == SilenceWatch::kFirst * 4);
  watch.reached(Lsn{1001});
  CHECK(watch.limit() == SilenceWatch::kFirst);
  for (int i = 0; i < 20; ++i) watch.timed_out();
  CHECK(watch.limit() == SilenceWatch::kMost);
}
