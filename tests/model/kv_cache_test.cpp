#include "model/kv_cache.hpp"

#include <gtest/gtest.h>

#include "kernels/kernels.hpp"
#include "model/backends.hpp"
#include "model/stage.hpp"
#include "model/tiny.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

constexpr auto block = attention_block;

class KvCacheOn : public testing::TestWithParam<const Backend*> {
 protected:
  Device device{*GetParam()};
  ModelConfig config = tiny_config();
};

std::vector<std::int32_t> append(KvCache& cache, int sequence, std::int64_t tokens) {
  const std::int64_t before = cache.length(sequence);
  cache.append(sequence, tokens);
  std::vector<std::int32_t> slots;
  for (std::int64_t i = 0; i < tokens; ++i) {
    slots.push_back(cache.slot(sequence, before + i));
  }
  return slots;
}

TEST_P(KvCacheOn, GivesBlocksAndTakesThemBack) {
  KvCache cache(device, config, 4);
  EXPECT_EQ(KvCache::blocks_for(0), 0);
  EXPECT_EQ(KvCache::blocks_for(block), 1);
  EXPECT_EQ(KvCache::blocks_for(block + 1), 2);
  const int a = cache.create();
  const auto slots = append(cache, a, block + 1);
  EXPECT_EQ(slots.size(), static_cast<std::size_t>(block + 1));
  EXPECT_EQ(slots[1], slots[0] + 1);
  EXPECT_EQ(cache.length(a), block + 1);
  EXPECT_EQ(cache.free_blocks(), 2);
  const int b = cache.create();
  (void)append(cache, b, 1);
  const std::vector<int> both{a, b};
  EXPECT_EQ(cache.tables(both, 2).size(), 4U);
  cache.release(a);
  EXPECT_EQ(cache.free_blocks(), 3);
  EXPECT_EQ(cache.create(), a) << "numbers are reused";
  cache.release(b);
  EXPECT_EQ(cache.free_blocks(), 4);
}

TEST_P(KvCacheOn, ForksShareBlocksUntilOneWrites) {
  KvCache cache(device, config, 8);
  const int prompt = cache.create();
  (void)append(cache, prompt, block + 3);
  const int a = cache.fork(prompt);
  const int b = cache.fork(prompt);
  EXPECT_EQ(cache.free_blocks(), 6) << "three sequences in two blocks";
  cache.release(prompt);
  EXPECT_EQ(cache.free_blocks(), 6);
  const auto of_a = append(cache, a, 1);  // copies the second block
  EXPECT_EQ(cache.free_blocks(), 5);
  const auto of_b = append(cache, b, 1);  // has it for its own now
  EXPECT_EQ(cache.free_blocks(), 5);
  EXPECT_NE(of_a[0] / block, of_b[0] / block);
  EXPECT_EQ(of_a[0] % block, 3);
  (void)append(cache, a, 1);
  EXPECT_EQ(cache.free_blocks(), 5) << "copied once only";
  cache.release(a);
  EXPECT_EQ(cache.free_blocks(), 6);
  cache.release(b);
  EXPECT_EQ(cache.free_blocks(), 8);
}

TEST_P(KvCacheOn, SaysWhenItIsUsedUp) {
  KvCache cache(device, config, 1);
  const int a = cache.create();
  (void)append(cache, a, block);
  EXPECT_THAT(message_of<Error>([&] { (void)append(cache, a, 1); }),
              testing::HasSubstr("1 blocks of 32 tokens are all in use"));
}

/// Decoding token by token, from a shared prompt and in a batch with others, gives the hidden
/// states of the packed forward pass.
TEST_P(KvCacheOn, DecodingIsTheForwardPass) {
  const Model model = make_model(device, config, {}, 5);
  Stage stage(device, config, model.parameters);
  const auto texts = ragged_texts(5, 61);
  KvCache cache(device, config, 64);
  Workspace workspace(device);

  PackedBatch prompts;
  std::vector<int> sequences;
  std::vector<int> forks;
  for (const Text& text : texts) {
    prompts.append(text.prompt);
    sequences.push_back(cache.create());
  }
  (void)stage.prefill(model.parameters, workspace, prompts, cache, sequences);
  for (const int sequence : sequences) {
    forks.push_back(cache.fork(sequence));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto& [prompt, response] = texts[i];
    PackedBatch whole;
    whole.append(prompt, response);
    Workspace expected_workspace(device);
    const auto expected =
        device.to_host<float>(stage.infer(model.parameters, expected_workspace, whole));
    for (std::size_t t = 0; t < response.size(); ++t) {
      // The fork beside it goes another way, and must not disturb it.
      const std::vector<std::int32_t> tokens{response[t], (response[t] + 1) % 60};
      const std::vector<int> both{sequences[i], forks[i]};
      workspace.reset();
      const DecodePlan plan(workspace, cache, both, std::vector<std::int64_t>{1, 1}, 1, 5);
      const auto hidden = device.to_host<float>(
          stage.decode(model.parameters, workspace, plan.at(0), workspace.upload(tokens), cache));
      for (std::int64_t c = 0; c < config.width; ++c) {
        const auto at = static_cast<std::size_t>(c);
        const float wanted =
            expected[(prompt.size() + t) * static_cast<std::size_t>(config.width) + at];
        if (device.backend().rows_are_exact()) {
          ASSERT_EQ(hidden[at], wanted) << "text " << i << ", token " << t << ", number " << c;
        } else {
          ASSERT_NEAR(hidden[at], wanted, 1e-5);
        }
      }
    }
    cache.release(sequences[i]);
    cache.release(forks[i]);
  }
  EXPECT_EQ(cache.free_blocks(), cache.blocks());
}

INSTANTIATE_TEST_SUITE_P(AllBackends, KvCacheOn, testing::ValuesIn(backends_under_test()),
                         [](const auto& of) { return of.param->name; });

}  // namespace
}  // namespace precis
