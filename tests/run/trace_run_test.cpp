// The trace of whole runs, and the table of where their time went, on one rank and on several.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

/// Tracks are threads: steps 1, phases 2, actions 3, communication 4.
constexpr int actions = 3;
constexpr int communication = 4;

const TrainingFixture& f() { return training_fixture(); }

std::vector<Json> events_of(const Path& run) {
  const Json trace = Json::parse(text_of(run / "trace.json"));
  EXPECT_TRUE(trace.at("otherData").at("dropped_events").empty());
  return trace.at("traceEvents").get<std::vector<Json>>();
}

/// The whole events of a rank, or of one of its tracks.
std::vector<Json> of(const std::vector<Json>& events, int rank, int track = 0) {
  std::vector<Json> found;
  std::ranges::copy_if(events, std::back_inserter(found), [&](const Json& event) {
    return event["ph"] == "X" && event["pid"] == rank && (track == 0 || event["tid"] == track);
  });
  return found;
}

int count_of_name(const std::vector<Json>& events, const std::string& name) {
  return static_cast<int>(
      std::ranges::count_if(events, [&](const Json& event) { return event["name"] == name; }));
}

/// Of two events of a track one is inside the other, or they are apart.
void expect_nested(std::vector<Json> events) {
  constexpr double rounding = 2e-3;
  const auto begin = [](const Json& event) { return event["ts"].get<double>(); };
  const auto end = [](const Json& event) {
    return event["ts"].get<double>() + event["dur"].get<double>();
  };
  std::ranges::stable_sort(events, [&](const Json& a, const Json& b) {
    return std::pair(begin(a), -end(a)) < std::pair(begin(b), -end(b));
  });
  std::vector<double> open;
  for (const Json& event : events) {
    EXPECT_GE(event["dur"].get<double>(), 0.0);
    while (!open.empty() && open.back() <= begin(event) + rounding) {
      open.pop_back();
    }
    if (!open.empty()) {
      EXPECT_LE(end(event), open.back() + rounding) << event;
    }
    open.push_back(end(event));
  }
}

void expect_whole_trace(const std::vector<Json>& events, int ranks, int steps) {
  std::set<int> seen;
  for (const Json& event : events) {
    seen.insert(event["pid"].get<int>());
    if (event["name"] == "process_name") {
      EXPECT_THAT(event["args"]["name"].get<std::string>(),
                  testing::StartsWith(fmt::format("rank {} (", event["pid"].get<int>())));
    }
  }
  EXPECT_EQ(static_cast<int>(seen.size()), ranks);
  EXPECT_EQ(count_of_name(events, "process_name"), ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    SCOPED_TRACE(fmt::format("rank {}", rank));
    for (int step = 1; step <= steps; ++step) {
      EXPECT_EQ(count_of_name(of(events, rank), fmt::format("step {}", step)), 1);
    }
    for (int track = 1; track <= 4; ++track) {
      const auto mine = of(events, rank, track);
      EXPECT_TRUE(!mine.empty() || (ranks == 1 && track == communication)) << "track " << track;
      expect_nested(mine);
    }
    for (const Json& event : of(events, rank, communication)) {
      EXPECT_TRUE(event["args"].contains("group")) << event;
      EXPECT_LE(event["args"]["waited_us"].get<double>(), event["dur"].get<double>() + 2e-3);
    }
  }
}

/// How often each micro-batch of a rank had a forward and a backward pass.
void expect_both_passes(const std::vector<Json>& events, int rank, std::size_t micro_batches) {
  std::map<int, int> forward;
  std::map<int, int> backward;
  for (const Json& event : of(events, rank, actions)) {
    if (event["name"] == "forward") {
      ++forward[event["args"]["micro_batch"].get<int>()];
    } else if (event["name"] == "backward") {
      ++backward[event["args"]["micro_batch"].get<int>()];
    }
  }
  EXPECT_EQ(forward, backward);
  EXPECT_GE(forward.size(), micro_batches);
}

struct Line {
  std::int64_t calls = 0;
  std::vector<double> numbers;  // seconds: mean, least, most; or of the one rank; then the share
};

/// The lines of the table by their names.
std::map<std::string, Line> table_in(const std::string& text) {
  std::map<std::string, Line> table;
  std::istringstream lines(text.substr(std::min(text.size(), text.find("of this launch went"))));
  const std::regex row("  ([a-z]+(?: [a-z]+)?) +([0-9]+ )?( *[0-9.]+ .*)%");
  std::string line;
  while (std::getline(lines, line)) {
    std::smatch match;
    if (std::regex_match(line, match, row)) {
      Line& found = table[match[1]];
      found.calls = match[2].length() > 0 ? std::stoll(match[2]) : 0;
      std::istringstream numbers(match[3]);
      for (double number = 0; numbers >> number;) {
        found.numbers.push_back(number);
      }
    }
  }
  return table;
}

void expect_table(const std::string& output, const Path& run, int ranks,
                  const std::set<std::string>& kinds) {
  const auto table = table_in(output);
  double shares = 0;
  std::set<std::string> names;
  for (const auto& [name, line] : table) {
    names.insert(name);
    ASSERT_EQ(line.numbers.size(), ranks > 1 ? 4U : 2U) << name;
    shares += line.numbers.back();
    EXPECT_EQ(line.calls > 0, name != "other") << name;
    if (ranks > 1) {
      EXPECT_LE(line.numbers[1], line.numbers[0] + 1e-3) << name;
      EXPECT_LE(line.numbers[0], line.numbers[2] + 1e-3) << name;
    }
  }
  EXPECT_NEAR(shares, 100, 1e-6) << output;
  EXPECT_THAT(names, testing::ContainerEq(kinds)) << output;
  EXPECT_THAT(text_of(run / "log.txt"), HasSubstr("of this launch went"));
}

const std::set<std::string> kinds_of_one_rank{"forward",    "backward", "optimizer", "inference",
                                              "generation", "input",    "output",    "other"};

std::set<std::string> kinds_of(int ranks) {
  auto kinds = kinds_of_one_rank;
  if (ranks > 1) {
    kinds.insert({"waiting", "data communication"});
  }
  return kinds;
}

/// The numbers of a model: the products of the shapes of its f32 datasets, summed.
std::int64_t trained_parameters(const Path& model) {
  const std::string text = succeed({PRECIS_PROGRAM, "inspect", model}).output;
  std::int64_t sum = 0;
  const std::regex shape("f32 +\\(([0-9, ]+)\\)");
  for (std::sregex_iterator i(text.begin(), text.end(), shape), end; i != end; ++i) {
    const std::string extents = (*i)[1];
    std::int64_t product = 1;
    const std::regex number("[0-9]+");
    for (std::sregex_iterator n(extents.begin(), extents.end(), number); n != end; ++n) {
      product *= std::stoll(n->str());
    }
    sum += product;
  }
  EXPECT_GT(sum, 0) << text;
  return sum;
}

/// Bytes of the events of a rank whose names begin so.
std::int64_t bytes_of(const std::vector<Json>& events, int rank, const std::string& name,
                      const std::string& kind) {
  std::int64_t bytes = 0;
  for (const Json& event : of(events, rank, communication)) {
    if (event["name"].get<std::string>().starts_with(name) && event["cat"] == kind) {
      bytes += event["args"]["bytes"].get<std::int64_t>();
    }
  }
  return bytes;
}

TEST(Trace, OfSft) {
  constexpr int steps = 3;
  for (const int ranks : {1, 2, 3, 4}) {
    const std::string name = fmt::format("traced_{}", ranks);
    SCOPED_TRACE(name);
    const Outcome outcome =
        succeed(f().sft(name,
                        {"--trace", "true", "--train.steps", std::to_string(steps),
                         "--train.micro_batch_tokens", "300"},
                        ranks));
    const auto events = events_of(f() / name);
    expect_whole_trace(events, ranks, steps);
    const std::int64_t gradient = 4 * trained_parameters(f() / name / "model.h5");
    std::int64_t sent = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      expect_both_passes(events, rank, 2);
      const std::int64_t by_rank =
          bytes_of(events, rank, "start of send to rank", "data communication");
      EXPECT_EQ(by_rank > 0, ranks > 1);
      sent += by_rank;
    }
    // All gradients but an owner's own come to it, and its parameters go to the others. Gaps
    // between tensors travel along.
    const std::int64_t expected = 2 * (ranks - 1) * steps * gradient;
    EXPECT_NEAR(static_cast<double>(sent), static_cast<double>(expected),
                0.01 * static_cast<double>(expected));
    expect_table(outcome.output, f() / name, ranks, kinds_of(ranks));
  }
}

TEST(Trace, OfPpo) {
  constexpr int steps = 2;
  const Fixture models;
  for (const int ranks : {2, 4}) {
    const std::string name = fmt::format("traced_{}", ranks);
    SCOPED_TRACE(name);
    const Outcome outcome = run(models.ppo(name, ranks,
                                           {"--trace", "true", "--train.steps",
                                            std::to_string(steps), "--log.level", "info"}),
                                120);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    const auto events = events_of(models / name);
    expect_whole_trace(events, ranks, steps);
    for (int rank = 0; rank < ranks; ++rank) {
      expect_both_passes(events, rank, 1);
      EXPECT_EQ(count_of_name(of(events, rank, actions), "rollout"), steps);
    }
    auto kinds = kinds_of(ranks);
    kinds.insert("checks");
    expect_table(outcome.output, models / name, ranks, kinds);
  }
}

TEST(WorkTable, ComesAtAStopAndWithoutATrace) {
  const Outcome outcome = run(f().sft("stopped_with_table", {"--train.stop_after", "2"}));
  EXPECT_EQ(outcome.status, 75) << outcome.output;
  auto kinds = kinds_of_one_rank;
  kinds.erase("inference");
  kinds.erase("generation");
  expect_table(outcome.output, f() / "stopped_with_table", 1, kinds);
  EXPECT_FALSE(std::filesystem::exists(f() / "stopped_with_table/trace.json"));
}

}  // namespace
}  // namespace precis::test
