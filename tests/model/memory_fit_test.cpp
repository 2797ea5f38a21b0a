// Out of memory: the message names what was asked for, and the number it gives does fit.
#include "model/memory_fit.hpp"

#include <gmock/gmock.h>

#include <regex>

#include "model/generator.hpp"
#include "model/limited_device.hpp"
#include "model/tiny.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

constexpr std::int64_t mib = 1 << 20;

/// N of "about N SUBJECT".
std::int64_t number_in(const std::string& message, const std::string& subject) {
  std::smatch found;
  EXPECT_TRUE(std::regex_search(message, found, std::regex("[Aa]bout ([0-9,]+) " + subject)))
      << message;
  std::string digits = found[1];
  std::erase(digits, ',');
  return digits.empty() ? 0 : std::stoll(digits);
}

std::vector<Text> long_texts(std::size_t count) {
  return std::vector<Text>(count, {std::vector<std::int32_t>(80, 1),  //
                                   std::vector<std::int32_t>(70, 2)});
}

TEST(MemoryFit, TheMicroBatchThatFitsInference) {
  Device device = test::limited_device(6 * mib);
  const Model model = make_model(device, tiny_config(), {}, 5);
  const auto texts = long_texts(500);
  const auto run = [&](std::int64_t tokens) {
    Evaluator evaluator(device, model.config, model.parameters, tokens);
    return evaluator.statistics(model.parameters, sequences_of(texts), 1.0).logprobs.size();
  };
  const std::string message = message_of<OutOfMemory>([&] { (void)run(100'000); });
  EXPECT_THAT(message, HasSubstr("for activations, f32 (74500, 24), could not"));
  EXPECT_THAT(message, HasSubstr("This process holds"));
  const std::int64_t tokens = number_in(message, "tokens at a time would fit");
  EXPECT_GT(tokens, 500);
  EXPECT_EQ(run(tokens * 8 / 10), texts.size());
}

TEST(MemoryFit, TheMicroBatchThatFitsTraining) {
  Device device = test::limited_device(12 * mib);
  const Model model = make_model(device, tiny_config(), {}, 5);
  Parameters gradients(device, model.parameters.specs(), MemoryUse::gradients);
  const auto run = [&](std::int64_t count) {
    Stage stage(device, model.config, model.parameters);
    const auto texts = long_texts(static_cast<std::size_t>(count));
    const ConstView hidden = stage.forward(model.parameters, pack_whole(sequences_of(texts)), 0);
    stage.backward(model.parameters, gradients, 0, stage.workspace(0).zeros(hidden.shape()));
  };
  const std::string message = message_of<OutOfMemory>([&] { run(1000); });
  EXPECT_THAT(message, HasSubstr("for activations, f32 (150000, 24), could not"));
  EXPECT_THAT(message, HasSubstr("gradients "));
  const std::int64_t tokens = number_in(message, "tokens at a time would fit");
  EXPECT_GT(tokens, 500);
  run(tokens * 8 / 10 / 150);
}

TEST(MemoryFit, TheSequencesThatFitTheCache) {
  Device device = test::limited_device(8 * mib);
  const Model model =
      make_model(device, tiny_config([](ModelConfig& c) { c.end_tokens = {}; }), {}, 5);
  const auto run = [&](std::int64_t sequences) {
    Generator generator(device, model.config, model.parameters);
    std::vector<Prompt> prompts;
    for (std::int64_t episode = 0; episode < 200; ++episode) {
      prompts.push_back({std::vector<std::int32_t>(100, 1), {episode}});
    }
    std::size_t finished = 0;
    generator.run(
        model.parameters, prompts,
        {.sampling = {}, .max_new_tokens = 2, .max_sequences = sequences, .prefill_tokens = 100},
        [&](Generated&&) { ++finished; }, [] {});
    return finished;
  };
  const std::string message = message_of<OutOfMemory>([&] { (void)run(200); });
  EXPECT_THAT(message, HasSubstr("for key-value cache, f32 ("));
  EXPECT_THAT(message, HasSubstr("200 sequences of up to 160 tokens"));
  const std::int64_t sequences = number_in(message, "would fit");
  EXPECT_GT(sequences, 10);
  EXPECT_EQ(run(sequences * 7 / 10), 200U);
}

TEST(MemoryFit, TheModelThatFits) {
  Device device = test::limited_device(mib / 4);
  const auto config = tiny_config([](ModelConfig& c) { c.layers = 40; });
  const std::string message =
      message_of<OutOfMemory>([&] { (void)make_model(device, config, {}, 5); });
  EXPECT_THAT(message, HasSubstr("of test memory for parameters, f32 ("));
  // 16 bytes a parameter and two packs of nearly all, or 4 bytes and a pack.
  const std::int64_t training = number_in(message, "in training");
  EXPECT_GT(training, mib / 4 / 26);
  EXPECT_LT(training, mib / 4 / 22);
  EXPECT_THAT(message, HasSubstr("in training and 30,"));
}

}  // namespace
}  // namespace precis
