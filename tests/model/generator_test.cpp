// Generation does not depend on the batch, and its log-probs are those of the evaluator, to the
// bit.
#include "model/generator.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "model/backends.hpp"
#include "model/tiny.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

using Results = std::map<std::int64_t, Generated>;

class GeneratorOn : public testing::TestWithParam<const Backend*> {
 protected:
  Device device{*GetParam()};
  Model model = make_model(device, tiny_config(), {}, 5);
  std::vector<Text> texts = ragged_texts(11, 61);

  /// `samples` episodes of each text's prompt, numbered from 0.
  [[nodiscard]] std::vector<Prompt> prompts(std::int64_t samples) const {
    std::vector<Prompt> out;
    std::int64_t episode = 0;
    for (const Text& text : texts) {
      Prompt prompt{text.prompt, {}};
      for (std::int64_t i = 0; i < samples; ++i) {
        prompt.episodes.push_back(episode++);
      }
      out.push_back(std::move(prompt));
    }
    return out;
  }

  [[nodiscard]] Results run(const std::vector<Prompt>& list, const GenerationRule& rule) {
    Generator generator(device, model.config, model.parameters);
    Results results;
    generator.run(
        model.parameters, list, rule,
        [&](Generated&& result) {
          const auto episode = result.episode;
          EXPECT_TRUE(results.emplace(episode, std::move(result)).second) << episode;
        },
        [] {});
    return results;
  }

  [[nodiscard]] GenerationRule rule() const {
    return {.sampling = {.seed = 9}, .max_new_tokens = 40};
  }
};

void expect_same(const Results& a, const Results& b, bool bits) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [episode, result] : a) {
    const Generated& other = b.at(episode);
    EXPECT_EQ(result.response, other.response) << "episode " << episode;
    EXPECT_EQ(result.ended, other.ended);
    if (bits) {
      EXPECT_EQ(result.logprobs, other.logprobs) << "episode " << episode;
    }
  }
}

TEST_P(GeneratorOn, ATemperatureBelowTheSmallestIsGreedy) {
  const auto list = prompts(1);
  GenerationRule greedy = rule();
  greedy.sampling.temperature = 0;
  const Results expected = run(list, greedy);
  for (const double temperature : {5e-324, 1e-300, 1e-38, 1e-6, 0.999e-5}) {
    GenerationRule low = rule();
    low.sampling.temperature = temperature;
    expect_same(run(list, low), expected, true);
  }
  GenerationRule smallest = rule();
  smallest.sampling.temperature = smallest_temperature;
  for (const auto& [episode, result] : run(list, smallest)) {
    EXPECT_EQ(result.response, expected.at(episode).response) << "the logits are far apart here";
    for (const float logprob : result.logprobs) {
      EXPECT_TRUE(std::isfinite(logprob)) << logprob;
    }
  }
}

TEST_P(GeneratorOn, DoesNotDependOnTheBatch) {
  const auto list = prompts(2);
  const bool bits = device.backend().rows_are_exact();
  const Results expected = run(list, rule());
  ASSERT_EQ(expected.size(), 2 * texts.size());
  for (const std::int64_t sequences : {1, 3, 64}) {
    for (const std::int64_t tokens : {1, 100, 4096}) {
      GenerationRule other = rule();
      other.max_sequences = sequences;
      other.prefill_tokens = tokens;
      expect_same(expected, run(list, other), bits);
    }
  }
  auto backwards = list;
  std::reverse(backwards.begin(), backwards.end());
  expect_same(expected, run(backwards, rule()), bits);
}

TEST_P(GeneratorOn, StopsAtEndTokensAndLengths) {
  model.config.end_tokens = {60, 7, 8, 9};
  bool some_ended = false;
  bool some_did_not = false;
  GenerationRule shorter = rule();
  shorter.max_new_tokens = 12;
  for (const auto& [episode, result] : run(prompts(3), shorter)) {
    ASSERT_FALSE(result.response.empty());
    ASSERT_EQ(result.response.size(), result.logprobs.size());
    for (std::size_t t = 0; t + 1 < result.response.size(); ++t) {
      EXPECT_FALSE(model.config.ends_with(result.response[t]));
    }
    EXPECT_EQ(result.ended, model.config.ends_with(result.response.back()));
    EXPECT_TRUE(result.ended || result.response.size() == 12U);
    (result.ended ? some_ended : some_did_not) = true;
  }
  EXPECT_TRUE(some_ended && some_did_not) << "the test tries one case only";
}

TEST_P(GeneratorOn, SamplesOfAPromptDifferAndSeedsMatter) {
  const Results results = run(prompts(4), rule());
  std::set<std::vector<std::int32_t>> different;
  for (std::int64_t sample = 0; sample < 4; ++sample) {
    different.insert(results.at(sample).response);
  }
  EXPECT_EQ(different.size(), 4U);
  GenerationRule other = rule();
  other.sampling.seed = 10;
  EXPECT_NE(run(prompts(4), other).at(0).response, results.at(0).response);
  GenerationRule greedy = rule();
  greedy.sampling.temperature = 0;
  const Results same = run(prompts(2), greedy);
  EXPECT_EQ(same.at(0).response, same.at(1).response);
}

TEST_P(GeneratorOn, RecordsTheEvaluatorsLogProbs) {
  for (const double temperature : {1.0, 0.7}) {
    GenerationRule at = rule();
    at.sampling.temperature = temperature;
    const Results results = run(prompts(2), at);
    std::vector<Sequence> sequences;
    for (const auto& [episode, result] : results) {
      sequences.push_back({texts[static_cast<std::size_t>(episode / 2)].prompt, result.response});
    }
    for (const std::int64_t budget : {1, 300, 100000}) {
      Evaluator evaluator(device, model.config, model.parameters, budget);
      const auto found = evaluator.statistics(model.parameters, sequences, temperature);
      std::size_t i = 0;
      for (const auto& [episode, result] : results) {
        const auto& logprobs = found.logprobs[i++];
        ASSERT_EQ(logprobs.size(), result.logprobs.size());
        for (std::size_t t = 0; t < logprobs.size(); ++t) {
          if (device.backend().rows_are_exact()) {
            EXPECT_EQ(logprobs[t], result.logprobs[t]) << "episode " << episode << ", " << t;
          } else {
            EXPECT_NEAR(logprobs[t], result.logprobs[t], 1e-5);
          }
        }
      }
    }
  }
}

TEST_P(GeneratorOn, RefusesPromptsThatDoNotFit) {
  const auto run_with = [&](std::vector<std::int32_t> tokens) {
    return message_of<Error>([&] { (void)run({{std::move(tokens), {0}}}, rule()); });
  };
  EXPECT_THAT(run_with({}), testing::HasSubstr("without tokens"));
  EXPECT_THAT(run_with(std::vector<std::int32_t>(121, 1)),
              testing::HasSubstr("121 tokens and 40 new tokens"));
}

TEST_P(GeneratorOn, RunsTwiceAndWithMoreSamplesThanPlaces) {
  Generator generator(device, model.config, model.parameters);
  GenerationRule narrow = rule();
  narrow.max_sequences = 2;
  const auto all = [&] {
    Results results;
    generator.run(
        model.parameters, prompts(5), narrow,
        [&](Generated&& result) {
          const auto episode = result.episode;
          results.emplace(episode, std::move(result));
        },
        [] {});
    return results;
  };
  const Results first = all();
  EXPECT_EQ(first.size(), 5 * texts.size());
  expect_same(first, all(), true);
  expect_same(first, run(prompts(5), rule()), device.backend().rows_are_exact());
}

TEST_P(GeneratorOn, RunningAheadChangesNothing) {
  Backend ahead = device.backend();
  Backend waiting = device.backend();
  ahead.runs_ahead = true;
  waiting.runs_ahead = false;
  const bool bits = device.backend().rows_are_exact();
  const auto on = [&](const Backend& backend, const GenerationRule& rule) {
    Device other(backend);
    const Model same = make_model(other, model.config, {}, 5);
    Generator generator(other, same.config, same.parameters);
    Results results;
    // Twice, so that recorded work is started again.
    for (int time = 0; time < 2; ++time) {
      results.clear();
      generator.run(
          same.parameters, prompts(2), rule,
          [&](Generated&& result) {
            const auto episode = result.episode;
            results.emplace(episode, std::move(result));
          },
          [] {});
    }
    return results;
  };
  model.config.end_tokens = {60, 7, 8};
  for (const std::int64_t sequences : {3, 20}) {
    GenerationRule some = rule();
    some.max_new_tokens = 12;
    some.max_sequences = sequences;
    expect_same(on(waiting, some), on(ahead, some), bits);
  }
}

INSTANTIATE_TEST_SUITE_P(AllBackends, GeneratorOn, testing::ValuesIn(backends_under_test()),
                         [](const auto& of) { return of.param->name; });

}  // namespace
}  // namespace precis
