// Models to files and back, and what is refused.
#include "model/model.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "model/backends.hpp"
#include "model/evaluator.hpp"
#include "model/tiny.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

class ModelFileOf : public testing::Test {
 protected:
  Device device{cpu::backend};
  TemporaryFolder folder;
  const std::filesystem::path file = folder / "model.h5";

  void save(const Model& model) {
    save_model(file, model.config, model.tokenizer, model.parameters, device);
  }
  [[nodiscard]] Model load(std::initializer_list<ModelKind> kinds) {
    return load_model(device, file, kinds);
  }
};

TEST_F(ModelFileOf, AModelComesBackToTheBit) {
  for (const ModelKind kind : {ModelKind::language, ModelKind::reward, ModelKind::value}) {
    const Model model = make_model(device, tiny_config([&](ModelConfig& c) {
                                     c.kind = kind;
                                     c.tied = false;
                                     c.reward_shift = kind == ModelKind::reward ? 0.3 : 0;
                                   }),
                                   {1, 2, 255}, 4);
    save(model);
    const Model back = load({kind});
    EXPECT_EQ(back.config, model.config);
    EXPECT_EQ(back.tokenizer, model.tokenizer);
    EXPECT_EQ(device.to_host<float>(back.parameters.flat()),
              device.to_host<float>(model.parameters.flat()));
  }
}

TEST_F(ModelFileOf, TheWrongKindIsRefused) {
  save(make_model(device, tiny_config([](ModelConfig& c) { c.kind = ModelKind::reward; }), {}, 4));
  const auto message = message_of<Error>([&] {
    (void)load({ModelKind::language, ModelKind::value});
  });
  EXPECT_THAT(message, HasSubstr(file.string()));
  EXPECT_THAT(message, HasSubstr("is a reward model; expected a language or value model"));
}

TEST_F(ModelFileOf, TensorsThatDoNotFitAreNamed) {
  const Model model = make_model(device, tiny_config(), {}, 4);
  const auto message_with = [&](auto&& change) {
    ModelConfig config = model.config;
    change(config);
    save_model(file, config, {}, model.parameters, device);
    return message_of<Error>([&] { (void)load({ModelKind::language}); });
  };
  EXPECT_THAT(message_with([](ModelConfig& c) { c.tied = false; }), HasSubstr("head/weight"));
  EXPECT_THAT(message_with([](ModelConfig& c) { c.layers = 1; }), HasSubstr("blocks/001"));
  EXPECT_THAT(
      message_with([](ModelConfig& c) { c.vocabulary = 62; }),
      testing::AllOf(HasSubstr("embedding/token"), HasSubstr("(61, 24)"), HasSubstr("(62, 24)")));
}

TEST_F(ModelFileOf, NumbersThatAreNotFiniteAreRefused) {
  const auto poisoned = [&](ModelKind kind, float value) {
    Model model = make_model(device, tiny_config([&](ModelConfig& c) { c.kind = kind; }), {}, 4);
    View tensor = model.parameters.at("blocks/001/mlp/up/weight");
    std::vector<float> host = device.to_host<float>(tensor);
    host[7] = value;
    device.backend().copy_to_device(device.queue(), tensor, view_of(host.data(), tensor.shape()));
    return model;
  };
  for (const ModelKind kind : {ModelKind::language, ModelKind::reward, ModelKind::value}) {
    for (const float value :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      const Model model = poisoned(kind, value);
      save(model);
      const auto has_all =
          testing::AllOf(HasSubstr(file.string()), HasSubstr("blocks/001/mlp/up/weight"),
                         HasSubstr("1 of its 2,304 elements is NaN or infinite"));
      EXPECT_THAT(message_of<Error>([&] { (void)load({kind}); }), has_all);
      // A checkpoint's parts, moments among them, come in by the same way.
      Parameters into(device, model.parameters.specs());
      EXPECT_THAT(message_of<Error>(
                      [&] { read_tensors(StateReader(file), "", weight_path, into, device); }),
                  has_all);
    }
  }
  save(poisoned(ModelKind::language, std::numeric_limits<float>::max()));
  EXPECT_NO_THROW((void)load({ModelKind::language}));
}

TEST_F(ModelFileOf, ARewardModelBeginsWithTheBodyOfTheLanguageModel) {
  Model language = make_model(device, tiny_config([](ModelConfig& c) { c.tied = false; }), {9}, 4);
  language.config.reward_shift = 2;
  const Model reward = with_scalar_head(device, language, ModelKind::reward, 8);
  EXPECT_EQ(reward.config.kind, ModelKind::reward);
  EXPECT_EQ(reward.config.reward_shift, 0);
  EXPECT_EQ(reward.tokenizer, language.tokenizer);
  for (const ParameterSpec& spec : reward.parameters.specs()) {
    if (!spec.name.starts_with("head/")) {
      EXPECT_EQ(device.to_host<float>(reward.parameters.at(spec.name)),
                device.to_host<float>(language.parameters.at(spec.name)))
          << spec.name;
    }
  }
  const Model same = with_scalar_head(device, language, ModelKind::reward, 8);
  const Model other = with_scalar_head(device, language, ModelKind::reward, 9);
  const auto head = [&](const Model& of) {
    return device.to_host<float>(of.parameters.at("head/weight"));
  };
  EXPECT_EQ(head(reward), head(same));
  EXPECT_NE(head(reward), head(other));
}

TEST_F(ModelFileOf, RewardsAreTheValuesAfterTheLastTokenAndIncludeTheShift) {
  Model model =
      make_model(device, tiny_config([](ModelConfig& c) { c.kind = ModelKind::reward; }), {}, 4);
  const auto texts = ragged_texts(6, 61);
  const auto sequences = sequences_of(texts);
  const auto rewards = [&] {
    return Evaluator(device, model.config, model.parameters, 64)
        .rewards(model.parameters, sequences);
  };
  const auto plain = rewards();
  auto longer = texts;  // one more token: the value before it is the reward of the text
  for (Text& text : longer) {
    text.response.push_back(0);
  }
  const auto values = Evaluator(device, model.config, model.parameters, 64)
                          .values(model.parameters, sequences_of(longer));
  model.config.reward_shift = 0.75;
  const auto shifted = rewards();
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(values[i].size(), texts[i].response.size() + 1);
    EXPECT_EQ(values[i].back(), plain[i]);
    EXPECT_NEAR(shifted[i], plain[i] - 0.75F, 1e-6);
  }
}

TEST_F(ModelFileOf, TheExactKlIsZeroToItselfAndPositiveToAnother) {
  const Model policy = make_model(device, tiny_config(), {}, 4);
  // Another shape and an output matrix of its own: only the vocabulary must agree.
  const Model reference = make_model(device, tiny_config([](ModelConfig& c) {
                                       c.width = 36;
                                       c.tied = false;
                                     }),
                                     {}, 5);
  auto texts = ragged_texts(6, 61);
  texts[2].response.clear();
  const auto sequences = sequences_of(texts);
  const auto kls = [&](const Model& other) {
    Evaluator theirs(device, other.config, other.parameters, 64);
    const auto hidden = theirs.hidden_states(other.parameters, sequences);
    const LanguageHead head(device, other.parameters);
    Evaluator mine(device, policy.config, policy.parameters, 1);
    const auto found = mine.statistics(policy.parameters, sequences, 1.0,
                                       Evaluator::Reference{head, other.parameters, hidden});
    const auto alone = theirs.statistics(other.parameters, sequences, 1.0);
    EXPECT_EQ(found.reference_logprobs, alone.logprobs);
    EXPECT_TRUE(alone.reference_logprobs.empty());
    return found.kls;
  };
  const auto self = kls(policy);
  const auto other = kls(reference);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(self[i].size(), texts[i].response.size());
    for (std::size_t t = 0; t < self[i].size(); ++t) {
      EXPECT_NEAR(self[i][t], 0, 1e-6);
      EXPECT_GT(other[i][t], 0.01);
    }
  }
}

}  // namespace
}  // namespace precis
