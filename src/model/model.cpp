#include "model/model.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "model/finite.hpp"

namespace precis {
namespace {

std::string names_of(std::initializer_list<ModelKind> kinds) {
  std::string names;
  for (const ModelKind kind : kinds) {
    names += (names.empty() ? "" : " or ") + std::string(to_string(kind));
  }
  return names;
}

/// Which commands make models of this kind.
std::string_view origin_of(ModelKind kind) {
  switch (kind) {
    case ModelKind::language:
      return "`precis import`, `sft` (model.h5) and `ppo` (policy.h5) make them.";
    case ModelKind::reward:
      return "`precis reward` makes them (model.h5).";
    case ModelKind::value:
      break;
  }
  return "`precis ppo` makes them (value.h5).";
}

/// Reads a tensor by way of host memory, since a file knows nothing of devices. Every model, part
/// of a checkpoint and moment is read here, and none with an element that is not finite.
template <class Read>
void read_to_device(Device& device, View tensor, const std::string& where, std::string_view name,
                    Read&& read) {
  std::vector<float> host(static_cast<std::size_t>(tensor.numel()));
  const View view = view_of(host.data(), tensor.shape());
  read(view);
  require_finite(host, where, name);
  device.backend().copy_to_device(device.queue(), tensor, view);
}

void copy_shared_tensors(Device& device, Parameters& to, const Parameters& from) {
  for (std::size_t i = 0; i < to.specs().size(); ++i) {
    const int source = from.find(to.specs()[i].name);
    if (source >= 0 && from.at(source).shape() == to.at(static_cast<int>(i)).shape()) {
      device.backend().copy(device.queue(), to.at(static_cast<int>(i)), from.at(source));
    }
  }
}

}  // namespace

Model make_model(Device& device, const ModelConfig& config, std::vector<std::uint8_t> tokenizer,
                 std::uint64_t seed, const ModelRanks& ranks) {
  Model model = allocate_model(device, {config, std::move(tokenizer)}, ranks);
  initialize(model.parameters, config, seed, device);
  return model;
}

ModelHead load_model_head(const ModelReader& file, std::initializer_list<ModelKind> wanted) {
  ModelHead head{config_from_json(file.config(), file.where()), file.tokenizer()};
  require(std::find(wanted.begin(), wanted.end(), head.config.kind) != wanted.end(),
          "{} is a {} model; expected a {} model. {}", file.where(), to_string(head.config.kind),
          names_of(wanted), origin_of(*wanted.begin()));
  return head;
}

Model allocate_model(Device& device, ModelHead head, const ModelRanks& ranks) {
  const ModelParallel parallel = ranks.of(head.config);
  auto specs = parameter_specs(head.config, parallel.place);
  return {std::move(head.config), std::move(head.tokenizer),
          Parameters(device, std::move(specs), MemoryUse::parameters, parallel)};
}

Model load_model(Device& device, const std::filesystem::path& path,
                 std::initializer_list<ModelKind> wanted, const std::string& part,
                 const ModelRanks& ranks) {
  const ModelReader file(path, part);
  Model model = allocate_model(device, load_model_head(file, wanted), ranks);
  const auto all = parameter_specs(model.config);
  for (const DatasetInfo& dataset : file.weights()) {
    require(std::ranges::find(all, dataset.path, &ParameterSpec::name) != all.end(),
            "{} holds the tensor `{}`, which its configuration has no place for.", file.where(),
            dataset.path);
  }
  for (std::size_t i = 0; i < model.parameters.specs().size(); ++i) {
    const ParameterSpec& spec = model.parameters.specs()[i];
    require(file.has_weight(spec.name),
            "{} lacks the tensor `{}`, which its configuration asks for.", file.where(), spec.name);
    read_weight(device, model.parameters.at(static_cast<int>(i)), file, spec);
  }
  model.parameters.changed();
  return model;
}

void read_weight(Device& device, View tensor, const ModelReader& file, const ParameterSpec& spec) {
  read_to_device(device, tensor, file.where(), spec.name,
                 [&](View host) { file.weight(spec.name, host, spec.shard); });
}

void save_model(const std::filesystem::path& path, const ModelConfig& config,
                const std::vector<std::uint8_t>& tokenizer, const Parameters& parameters,
                Device& device) {
  StateWriter file(path, model_format);
  write_model_head(file, "", to_json(config), tokenizer);
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    const ParameterSpec& spec = parameters.specs()[i];
    const ConstView tensor = parameters.at(static_cast<int>(i));
    const std::vector<float> host = device.to_host<float>(tensor);
    file.tensor(weight_path("", spec.name), view_of(host.data(), tensor.shape()), spec.shard);
  }
  file.commit();
}

void read_tensors(const StateReader& file, std::string_view part, TensorPath path_of,
                  Parameters& tensors, Device& device) {
  for (std::size_t i = 0; i < tensors.specs().size(); ++i) {
    const ParameterSpec& spec = tensors.specs()[i];
    const std::string path = path_of(part, spec.name);
    read_to_device(device, tensors.at(static_cast<int>(i)), file.path().string(), path,
                   [&](View host) { file.tensor(path, host, spec.shard); });
  }
  tensors.changed();
}

Model with_scalar_head(Device& device, const Model& body, ModelKind kind, std::uint64_t seed) {
  ModelConfig config = body.config;
  config.kind = kind;
  config.reward_shift = 0.0;
  // A scalar head is a matrix of its own, so nobody shares the embedding.
  ModelParallel parallel = body.parameters.parallel();
  parallel.place.shares_embedding = false;
  Model model{
      config, body.tokenizer,
      Parameters(device, parameter_specs(config, parallel.place), MemoryUse::parameters, parallel)};
  copy_shared_tensors(device, model.parameters, body.parameters);
  initialize_scalar_head(model.parameters, config, seed, device);
  return model;
}

}  // namespace precis
