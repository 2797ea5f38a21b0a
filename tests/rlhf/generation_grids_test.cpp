// Generation over stages and shares: on every grid the same tokens and the same bits of log-probs
// as on one rank.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <string>

#include "data/step_rows.hpp"
#include "kernels/cpu/kernels.hpp"
#include "model/generator.hpp"
#include "model/model.hpp"
#include "model/tiny.hpp"
#include "parallel/mpi_test.hpp"

namespace precis {
namespace {

constexpr std::int64_t tensor_parts = 8;
#ifdef PRECIS_ALL_LAYOUTS
constexpr std::size_t prompts = 64;
#else
constexpr std::size_t prompts = 20;
#endif

using Results = std::map<std::int64_t, Generated>;

/// With every bit of the log-probs.
std::string text_of(const Results& results) {
  std::string text;
  for (const auto& [episode, result] : results) {
    text += fmt::format("episode {}{}:", episode, result.ended ? ", ended" : "");
    for (std::size_t t = 0; t < result.response.size(); ++t) {
      text += fmt::format(" {} {:08x}", result.response[t],
                          std::bit_cast<std::uint32_t>(result.logprobs.at(t)));
    }
    text += "\n";
  }
  return text;
}

struct NamedRule {
  const char* name;
  GenerationRule rule;
};

std::vector<NamedRule> rules() {
  const auto with = [](const SamplingRule& sampling) {
    return GenerationRule{.sampling = sampling, .max_new_tokens = 12, .max_sequences = 13};
  };
  return {{"temperature 1", with({.seed = 9})},
          {"top-k 20", with({.seed = 9, .top_k = 20})},
          {"top-p 0.9", with({.seed = 9, .temperature = 1.3, .top_p = 0.9})},
          {"top-k 20 and top-p 0.9", with({.seed = 9, .top_k = 20, .top_p = 0.9})},
          {"greedy", with({.temperature = 0.0})},
          {"a padded vocabulary", with({.seed = 9, .sampled_vocabulary = 40})}};
}

/// All of them, or one, in turns.
std::vector<NamedRule> rules_of_grid([[maybe_unused]] std::size_t number) {
  const std::vector<NamedRule> all = rules();
#ifdef PRECIS_ALL_LAYOUTS
  return all;
#else
  return {all[number % all.size()]};
#endif
}

class GenerationGrids : public testing::Test {
 protected:
  Device device{cpu::backend};
  RankGroup& world = test_session().world();
  std::vector<Text> texts = ragged_texts(prompts, 61);

  /// One sample of most prompts, three of every fifth.
  [[nodiscard]] std::vector<Prompt> all_prompts() const {
    std::vector<Prompt> all;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      Prompt prompt{texts[i].prompt, {}};
      for (std::size_t sample = 0; sample < (i % 5 == 0 ? 3 : 1); ++sample) {
        prompt.episodes.push_back(static_cast<std::int64_t>(8 * i + sample));
      }
      all.push_back(std::move(prompt));
    }
    return all;
  }

  [[nodiscard]] Results generate(const Model& model, const std::vector<Prompt>& some,
                                 const GenerationRule& rule) {
    Generator generator(device, model.config, model.parameters);
    Results results;
    // Twice with one generator: the second run finds what the first one has left.
    for (int run = 0; run < 2; ++run) {
      results.clear();
      generator.run(
          model.parameters, some, rule,
          [&](Generated&& result) {
            const std::int64_t episode = result.episode;
            EXPECT_TRUE(results.emplace(episode, std::move(result)).second) << episode;
          },
          [] {});
    }
    return results;
  }

  /// `number`: of the grid, by which rules go round.
  void compare(const ModelConfig& config, const GridShape& shape, std::size_t number) {
    auto group = world.split(world.rank() < shape.ranks() ? 0 : -1, world.rank(), "generation");
    if (!group) {
      return;
    }
    ProcessGrid grid(std::move(group), shape, "generation");
    ModelRanks one;
    one.tensor_parts = tensor_parts;
    const Model alone = make_model(device, config, {}, 5, one);
    const Model model = make_model(device, config, {}, 5, model_ranks(grid, "", tensor_parts));
    const std::vector<Prompt> all = all_prompts();
    const auto [begin, end] =
        part_of(std::ssize(all), grid.coordinates().dp, static_cast<std::int64_t>(shape.dp));
    const std::vector<Prompt> mine(all.begin() + begin, all.begin() + end);
    for (const auto& [name, rule] : rules_of_grid(number)) {
      SCOPED_TRACE(name);
      const Results results = generate(model, mine, rule);
      const std::string all_of_them = text_of(results);
      EXPECT_EQ(all_of_them, grid.replica().broadcast_text(all_of_them, 0)) << "on every rank";
      if (grid.is_leader()) {
        EXPECT_EQ(all_of_them, text_of(generate(alone, mine, rule)));
      }
    }
  }
};

TEST_F(GenerationGrids, HaveTheTokensAndLogprobsOfOneRank) {
  const ModelConfig grouped = tiny_config([](ModelConfig& c) {
    c.layers = 8;
    c.heads = 8;
    c.kv_heads = 4;
    c.width = 32;
    c.norm = NormKind::rms_norm;
    c.position = PositionKind::rotary;
    c.activation = ActivationKind::gated_silu;
  });
  // Halves of three key-value heads are uneven, as are those of 61 tokens.
  const ModelConfig uneven = tiny_config([](ModelConfig& c) {
    c.layers = 5;
    c.heads = 9;
    c.kv_heads = 3;
    c.width = 36;
    c.tied = false;
  });
  std::size_t number = 0;
  for (const ModelConfig& config : {grouped, uneven}) {
    for (int tp = 1; tp <= 8; tp *= 2) {
      for (int pp = 1; pp * tp <= 8; ++pp) {
        for (int dp = 1; dp * pp * tp <= 8; dp += dp < 2 ? 1 : 2) {
          if (pp > config.layers || (tp > 4 && config.kv_heads == 3)) {
            continue;
          }
          const GridShape shape{.dp = dp, .pp = pp, .tp = tp};
          SCOPED_TRACE(to_string(shape));
          compare(config, shape, number++);
        }
      }
    }
  }
}

}  // namespace
}  // namespace precis
