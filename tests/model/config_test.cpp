#include "model/config.hpp"

#include <gtest/gtest.h>

#include "model/parameters.hpp"
#include "model/tiny.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

TEST(ModelConfig, ComesBackFromItsJson) {
  for (const ModelConfig& config : {tiny_config(), tiny_config([](ModelConfig& c) {
                                      c.kind = ModelKind::value;
                                      c.family = "LlamaForCausalLM";
                                      c.kv_heads = 1;
                                      c.head_dim = 10;
                                      c.mlp_width = 17;
                                      c.norm = NormKind::rms_norm;
                                      c.norm_epsilon = 1e-6;
                                      c.position = PositionKind::rotary;
                                      c.rotary_fraction = 0.25;
                                      c.rotary_base = 500000;
                                      c.activation = ActivationKind::gated_silu;
                                      c.attention_bias = AttentionBias::query_key_value;
                                      c.mlp_bias = false;
                                      c.residual = ResidualKind::parallel;
                                      c.tied = false;
                                      c.end_tokens = {3, 5};
                                      c.reward_shift = 0.1 + 0.2;
                                      c.source_dtype = "bf16";
                                    })}) {
    EXPECT_EQ(config_from_json(to_json(config), "here"), config);
  }
}

TEST(ModelConfig, PutsTheValuesBehindZeros) {
  const ModelConfig config = tiny_config();
  EXPECT_EQ(config.kv_heads, 3);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.mlp_width, 96);
}

TEST(ModelConfig, SaysWhatIsWrong) {
  const auto message = [](auto&& change) {
    return message_of<Error>([&] { (void)tiny_config(change); });
  };
  EXPECT_THAT(message([](ModelConfig& c) { c.heads = 5; }), HasSubstr("model.width is 24"));
  EXPECT_THAT(message([](ModelConfig& c) { c.kv_heads = 2; }), HasSubstr("model.kv_heads is 2"));
  EXPECT_THAT(message([](ModelConfig& c) { c.layers = 0; }), HasSubstr("model.layers is 0"));
  EXPECT_THAT(message([](ModelConfig& c) { c.end_tokens = {61}; }), HasSubstr("end token 61"));
  EXPECT_THAT(message([](ModelConfig& c) {
                c.position = PositionKind::rotary;
                c.rotary_fraction = 0.1;
              }),
              HasSubstr("leaves none to rotate"));
  const auto read = [](const char* json) {
    return message_of<Error>([&] { (void)config_from_json(json, "model.h5"); });
  };
  EXPECT_THAT(read("[]"), HasSubstr("model.h5: the model's configuration is not a JSON object"));
  EXPECT_THAT(read(R"({"layers": "two"})"), HasSubstr("`layers` = \"two\""));
  EXPECT_THAT(read(R"({"norm": "batch_norm"})"), HasSubstr("layer_norm, rms_norm"));
  EXPECT_THAT(read(R"({"vocabulary": 0})"), HasSubstr("model.h5: model.vocabulary is 0"));
}

TEST(ModelConfig, KnowsItsEndTokens) {
  ModelConfig config = tiny_config();
  config.end_tokens = {4, 2};
  EXPECT_EQ(config.end_token(), 4);
  EXPECT_TRUE(config.ends_with(2));
  EXPECT_FALSE(config.ends_with(3));
  config.end_tokens = {};
  EXPECT_THAT(message_of<Error>([&] { (void)config.end_token(); }), HasSubstr("no end token"));
}

TEST(ModelConfig, CountsTheParametersOfGpt2) {
  EXPECT_EQ(parameter_count(gpt2_config()), 124'439'808);
}

}  // namespace
}  // namespace precis
