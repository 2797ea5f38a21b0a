#include "model/families/family.hpp"

namespace precis {

// Names and defaults of transformers' GPT2Config and GPT2LMHeadModel (Wolf et al. 2020). Its
// Conv1D matrices are (in, out), and query, key and value are one of them.
Family gpt2_family() {
  using enum MatrixLayout;
  const std::string ours = "blocks/{}/";
  const auto linear = [&](const std::string& name, const std::vector<std::string>& parts) {
    std::vector<FamilyTensorRule> rules{{"h.{}." + name + ".weight", {}, in_out},
                                        {"h.{}." + name + ".bias", {}}};
    for (const std::string& part : parts) {
      rules[0].parts.push_back(ours + part + "/weight");
      rules[1].parts.push_back(ours + part + "/bias");
    }
    return rules;
  };
  const auto norm = [](const std::string& name, const std::string& part) {
    return std::vector<FamilyTensorRule>{{name + ".weight", {part + "/weight"}},
                                         {name + ".bias", {part + "/bias"}}};
  };

  ModelConfig choices;
  choices.norm = NormKind::layer_norm;
  choices.position = PositionKind::learned;
  choices.attention_bias = AttentionBias::all;
  choices.mlp_bias = true;
  choices.residual = ResidualKind::sequential;

  Family family{
      .architecture = "GPT2LMHeadModel",
      .model_type = "gpt2",
      .body_prefix = "transformer.",
      .choices = choices,
      .settings = {whole_number("n_layer", 12, &ModelConfig::layers),
                   whole_number("n_embd", 768, &ModelConfig::width),
                   whole_number("n_head", 12, &ModelConfig::heads),
                   whole_number_or_null("n_inner", &ModelConfig::mlp_width),
                   whole_number("n_positions", 1024, &ModelConfig::context),
                   whole_number("vocab_size", 50257, &ModelConfig::vocabulary),
                   positive_number("layer_norm_epsilon", 1e-5, &ModelConfig::norm_epsilon),
                   activation_word("activation_function", "gelu_new",
                                   {{"gelu_new", ActivationKind::gelu_tanh},
                                    {"gelu_pytorch_tanh", ActivationKind::gelu_tanh},
                                    {"gelu_fast", ActivationKind::gelu_tanh},
                                    {"gelu", ActivationKind::gelu_erf},
                                    {"gelu_python", ActivationKind::gelu_erf}}),
                   yes_or_no("tie_word_embeddings", true, &ModelConfig::tied),
                   only("scale_attn_weights", true), only("scale_attn_by_inverse_layer_idx", false),
                   only("reorder_and_upcast_attn", false), only("add_cross_attention", false)},
      .tensors = {{"wte.weight", {"embedding/token"}}, {"wpe.weight", {"embedding/position"}}},
      .tied_copy = {"lm_head.weight", "wte.weight"},
      .ignored = {"h.{}.attn.bias", "h.{}.attn.masked_bias"}};

  for (const auto& rules :
       {norm("h.{}.ln_1", ours + "attention_norm"),
        linear("attn.c_attn", {"attention/query", "attention/key", "attention/value"}),
        linear("attn.c_proj", {"attention/output"}), norm("h.{}.ln_2", ours + "mlp_norm"),
        linear("mlp.c_fc", {"mlp/up"}), linear("mlp.c_proj", {"mlp/down"}),
        norm("ln_f", "final_norm")}) {
    family.tensors.insert(family.tensors.end(), rules.begin(), rules.end());
  }
  family.tensors.push_back({"lm_head.weight", {"head/weight"}, out_in, false});
  return family;
}

}  // namespace precis
