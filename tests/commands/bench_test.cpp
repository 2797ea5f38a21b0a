// `precis bench` at shapes so small that it takes seconds: what it prints and writes, and what it
// refuses. What it measures is not looked at.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::StartsWith;
using Words = std::vector<std::string>;

Outcome bench(const Words& more) {
  Words words{PRECIS_PROGRAM,
              "bench",
              more.front(),
              "--device",
              "cpu",
              "--bench.repeats",
              "2",
              "--model.layers",
              "2",
              "--model.width",
              "32",
              "--model.heads",
              "2",
              "--bench.vocabulary",
              "300"};
  words.insert(words.end(), more.begin() + 1, more.end());
  return run(words, 120);
}

/// That a token is multiplied with: two blocks of 12 C^2 + 13 C, the final norm, the head.
constexpr int weights = 2 * (12 * 32 * 32 + 13 * 32) + 2 * 32 + 300 * 32;

/// What `bench` wrote, with the names of its results.
struct Written {
  nlohmann::json json;
  Words names;
};

Written written_by(Words words) {
  const TemporaryFolder folder;
  words.insert(words.end(), {"--json", folder / "bench.json"});
  const Outcome outcome = bench(words);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("Ceilings: copy "));
  Written written{read_rows(folder / "bench.json").at(0), {}};
  const auto& json = written.json;
  EXPECT_EQ(json.at("command"), "bench " + words.front());
  EXPECT_EQ(json.at("precision"), "f32");
  EXPECT_EQ(json.at("model").at("width"), 32);
  EXPECT_GT(json.at("ceilings").at("bytes_per_second"), 0);
  EXPECT_GT(json.at("ceilings").at("flop_per_second"), 0);
  for (const auto& result : json.at("results")) {
    const std::string name = result.at("name");
    written.names.push_back(name);
    EXPECT_THAT(outcome.output, HasSubstr(name));
    EXPECT_EQ(result.at("repeats").size(), 2U) << name;
    const double fraction = result.at("floor_over_time");
    EXPECT_TRUE(std::isfinite(fraction) && fraction > 0) << name << ": " << fraction;
    EXPECT_DOUBLE_EQ(fraction,
                     result.at("floor_seconds").get<double>() / result.at("seconds").get<double>());
  }
  return written;
}

TEST(Bench, KernelsOfEveryFamily) {
  const std::pair<const char*, const char*> kinds[] = {{"gelu_tanh", "layer_norm"},
                                                       {"gated_silu", "rms_norm"}};
  for (const auto& [activation, norm] : kinds) {
    const auto names =
        written_by({"kernels", "--bench.batch", "2", "--bench.length", "16", "--bench.sequences",
                    "3", "--model.activation", activation, "--model.norm", norm})
            .names;
    for (const char* name :
         {"linear forward 32 x 32 -> 128", "linear forward 3 x 32 -> 128", "linear input gradient",
          "linear weight gradient", "attention forward 2 x 16", "attention backward",
          "decode attention 3 x 64", "vocabulary loss forward 32 x 300", "vocabulary loss backward",
          "norm forward", "norm backward", "activation forward", "activation backward", "AdamW",
          "sampling 3 x 300"}) {
      EXPECT_THAT(names, Contains(StartsWith(name)));
    }
  }
}

TEST(Bench, WorkFollowsFromTheShapes) {
  const auto kernels = written_by({"kernels", "--bench.batch", "2", "--bench.length", "16"}).json;
  for (const auto& result : kernels.at("results")) {
    const std::string name = result.at("name");
    if (name == "linear forward 32 x 32 -> 128") {
      EXPECT_EQ(result.at("flop"), 2 * 32 * 32 * 128);
      EXPECT_EQ(result.at("bytes"), 4 * (32 * 32 + 32 * 128 + 32 * 128));
    } else if (name.starts_with("attention forward")) {
      // Two sequences, 16 * 17 / 2 pairs each, two products of 2 * 32 FLOP.
      EXPECT_EQ(result.at("flop"), 2 * 136 * 2 * 2 * 32);
    } else if (name.starts_with("vocabulary loss backward")) {
      EXPECT_EQ(result.at("bytes"), 2 * 4 * 32 * 300);
    }
  }
  const auto train = written_by({"train", "--bench.batch", "3", "--bench.length", "16"}).json;
  ASSERT_EQ(train.at("results").size(), 1U);
  EXPECT_EQ(train.at("results")[0].at("tokens"), 48);
  EXPECT_EQ(train.at("results")[0].at("flop"), 48 * (6 * weights + 6 * 2 * 32 * 16));
}

TEST(Bench, DecodesEachNumberOfSequences) {
  const auto of = written_by({"decode", "--bench.sequences", "1,5", "--bench.prompt_tokens", "8",
                              "--bench.new_tokens", "5"});
  EXPECT_THAT(of.names, testing::ElementsAre("prompts 1 x 8", "decoding 1 x 4", "prompts 5 x 8",
                                             "decoding 5 x 4"));
  const auto& decoding = of.json.at("results")[3];
  EXPECT_EQ(decoding.at("tokens"), 20);
  // Each of 4 steps reads the weights; step s the 8 + s tokens of 5 caches of two layers.
  EXPECT_EQ(decoding.at("bytes"), 4 * (4 * weights + 5 * (4 * 8 + 10) * 2 * 2 * 32));
}

TEST(Bench, RefusesWhatItCannotMeasure) {
  const auto refuse = [](const Words& words, const Words& parts) {
    const Outcome outcome = bench(words);
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    expect_one_message(outcome);
    for (const std::string& part : parts) {
      EXPECT_THAT(outcome.output, HasSubstr(part));
    }
  };
  refuse({"kernels", "--bench.sequences", "1,x"}, {"bench.sequences", "`x`"});
  refuse({"decode", "--bench.sequences="}, {"bench.sequences is empty"});
  refuse({"decode", "--bench.new_tokens", "1"}, {"bench.new_tokens", "from 2 to"});
  refuse({"decode", "--bench.new_tokens", "1000"}, {"1064 tokens", "model.context is 1024"});
  refuse({"train", "--bench.length", "1025"}, {"1025 tokens", "model.context is 1024"});
  refuse({"train", "--model.kv_heads", "3"}, {"model.kv_heads is 3"});
  refuse({"train", "--bench.sequences", "1"}, {"bench.sequences"});
}

}  // namespace
}  // namespace precis::test
