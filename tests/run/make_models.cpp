// Writes the small models and prompts that whole-program tests run on, without any training:
//
//   make_models FOLDER [WIDTH [LAYERS]]
//
//   policy.h5 reference.h5 reward.h5        a tied model with learned positions, in three roles
//   rotary_policy.h5 rotary_reward.h5       an untied one: rotary, RMSNorm, gated, grouped heads
//   stranger.h5                             a policy with another tokenizer
//   poisoned.h5 poisoned_reward.h5          two with a weight that is not a number
//   overflowing.h5                          the policy with finite weights whose logits are none
//   padded.h5 padded_reward.h5              two with three rows more than their tokenizer has
//                                           tokens, the likeliest of the policy
//   prompts.jsonl                           16 posts of the embedded data set
#include <cstdio>
#include <exception>
#include <limits>

#include "base/error.hpp"
#include "data/tokenizer_trainer.hpp"
#include "io/jsonl.hpp"
#include "model/model.hpp"
#include "synthetic/synthesize.hpp"

namespace precis {
namespace {

constexpr std::uint64_t rows = 16;
constexpr std::int64_t context = 128;

using FileBytes = std::vector<std::uint8_t>;

FileBytes train_tokenizer(std::int64_t vocabulary) {
  TokenizerTrainer trainer;
  for (std::uint64_t i = 0; i < 2 * rows; ++i) {
    const SyntheticRow row = synthesize_row(1, i, {});
    trainer.add(row.post);
    trainer.add(row.summary);
  }
  const std::string json = trainer.train(vocabulary).to_json();
  return {json.begin(), json.end()};
}

ModelConfig config_of(std::int64_t width, std::int64_t layers, const FileBytes& tokenizer) {
  const auto parsed =
      Tokenizer::from_json({reinterpret_cast<const char*>(tokenizer.data()), tokenizer.size()});
  ModelConfig config;
  config.layers = layers;
  config.width = width;
  config.heads = 4;
  config.context = context;
  config.init = Initialization::scaled;
  config.vocabulary = parsed.vocabulary();
  config.end_tokens = {parsed.end_token()};
  return config;
}

ModelConfig rotary(ModelConfig config) {
  config.kv_heads = 2;
  config.position = PositionKind::rotary;
  config.norm = NormKind::rms_norm;
  config.activation = ActivationKind::gated_silu;
  config.attention_bias = AttentionBias::none;
  config.mlp_bias = false;
  config.tied = false;
  return config;
}

void add_to(Device& device, View tensor, std::int64_t index, float difference) {
  std::vector<float> host = device.to_host<float>(tensor);
  host.at(static_cast<std::size_t>(index)) += difference;
  device.backend().copy_to_device(device.queue(), tensor, view_of(host.data(), tensor.shape()));
}

/// Random weights hardly ever choose the end token. A constant part of the hidden state that only
/// this token's output row looks at raises its logit by about 4.
void favour_end(Device& device, Model& model) {
  Parameters& parameters = model.parameters;
  if (parameters.find("final_norm/bias") < 0) {
    return;
  }
  add_to(device, parameters.at("final_norm/bias"), 0, 4.0F);
  const std::int64_t width = model.config.width;
  add_to(device, parameters.at("embedding/token"), model.config.end_token() * width, 1.0F);
  parameters.changed();
}

void write_models(const std::filesystem::path& folder, std::int64_t width, std::int64_t layers) {
  Device device = open_device("cpu");
  const FileBytes tokenizer = train_tokenizer(320);
  const ModelConfig config = config_of(width, layers, tokenizer);

  const auto make = [&](ModelConfig of, ModelKind kind, std::uint64_t seed,
                        const FileBytes& bytes) {
    of.kind = kind;
    if (kind != ModelKind::language) {
      of.reward_shift = 0.125;
    }
    complete(of);
    Model model = make_model(device, of, bytes, seed);
    if (kind == ModelKind::language) {
      favour_end(device, model);
    }
    return model;
  };
  const auto write = [&](const char* name, const Model& model) {
    save_model(folder / name, model.config, model.tokenizer, model.parameters, device);
  };
  write("policy.h5", make(config, ModelKind::language, 1, tokenizer));
  write("reference.h5", make(config, ModelKind::language, 2, tokenizer));
  write("reward.h5", make(config, ModelKind::reward, 3, tokenizer));
  write("rotary_policy.h5", make(rotary(config), ModelKind::language, 4, tokenizer));
  write("rotary_reward.h5", make(rotary(config), ModelKind::reward, 5, tokenizer));

  const FileBytes other = train_tokenizer(310);
  write("stranger.h5", make(config_of(width, layers, other), ModelKind::language, 1, other));

  const auto poison = [&](Model model, const char* tensor, float value) {
    add_to(device, model.parameters.at(tensor), 0, value);
    return model;
  };
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const char* const tensor = "blocks/000/mlp/up/weight";
  write("poisoned.h5", poison(make(config, ModelKind::language, 1, tokenizer), tensor, nan));
  write("poisoned_reward.h5", poison(make(config, ModelKind::reward, 3, tokenizer), tensor, nan));
  write("overflowing.h5",
        poison(make(config, ModelKind::language, 1, tokenizer), "final_norm/weight", 3e38F));

  ModelConfig wide = config;
  wide.vocabulary += 3;
  Model padded = make(wide, ModelKind::language, 1, tokenizer);
  for (std::int64_t id = config.vocabulary; id < wide.vocabulary; ++id) {
    add_to(device, padded.parameters.at("embedding/token"), id * width, 3.0F);
  }
  write("padded.h5", padded);
  write("padded_reward.h5", make(wide, ModelKind::reward, 3, tokenizer));
}

void write_prompts(const std::filesystem::path& file) {
  JsonlWriter writer(file);
  for (std::uint64_t i = 0; i < rows; ++i) {
    const SyntheticRow row = synthesize_row(1, i, {});
    writer.write({{"id", row.id},
                  {"subreddit", row.subreddit},
                  {"title", row.title},
                  {"post", row.post.substr(0, 20 + 5 * i)},
                  {"summary", row.summary}});
  }
  writer.commit();
}

int run(int argc, char** argv) {
  require(argc >= 2 && argc <= 4, "usage: make_models FOLDER [WIDTH [LAYERS]]");
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  write_models(folder, argc > 2 ? std::stoll(argv[2]) : 32, argc > 3 ? std::stoll(argv[3]) : 2);
  write_prompts(folder / "prompts.jsonl");
  return 0;
}

}  // namespace
}  // namespace precis

int main(int argc, char** argv) {
  try {
    return precis::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_models: %s\n", error.what());
    return 1;
  }
}
