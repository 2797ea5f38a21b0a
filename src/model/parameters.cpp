#include "model/parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "model/memory_fit.hpp"

namespace precis {
namespace {

constexpr std::int64_t alignment = 16;  // elements: 64 bytes

void add_linear(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t out,
                std::int64_t in, bool bias) {
  specs.push_back({name + "/weight", whole({out, in})});
  if (bias) {
    specs.push_back({name + "/bias", whole({out})});
  }
}

void add_norm(std::vector<ParameterSpec>& specs, const std::string& name,
              const ModelConfig& config) {
  specs.push_back({name + "/weight", whole({config.width})});
  if (config.norm == NormKind::layer_norm) {
    specs.push_back({name + "/bias", whole({config.width})});
  }
}

/// N(0, deviation), element i a function of (seed, name, i).
void fill_normal(View tensor, const std::string& name, double deviation, std::uint64_t seed,
                 Device& device) {
  std::vector<float> host(static_cast<std::size_t>(tensor.numel()));
  const std::uint64_t number = name_number(name);
  const std::int64_t blocks = (tensor.numel() + 1) / 2;
#pragma omp parallel for schedule(static)
  for (std::int64_t block = 0; block < blocks; ++block) {
    const auto normals = normals_from(random_block(seed, Purpose::initial_weights, number,
                                                   static_cast<std::uint32_t>(block >> 32),
                                                   static_cast<std::uint32_t>(block)));
    const auto first = static_cast<std::size_t>(2 * block);
    host[first] = static_cast<float>(deviation * normals[0]);
    if (first + 1 < host.size()) {
      host[first + 1] = static_cast<float>(deviation * normals[1]);
    }
  }
  device.backend().copy_to_device(device.queue(), tensor, view_of(host.data(), tensor.shape()));
}

double deviation_of(const std::string& name, const Shape& shape, const ModelConfig& config) {
  const bool embedding = name.starts_with("embedding/");
  double deviation = 0.02;
  if (config.init == Initialization::scaled) {
    deviation = embedding ? 0.08 : 1.0 / std::sqrt(static_cast<double>(shape[1]));
  }
  if (name.ends_with("attention/output/weight") || name.ends_with("mlp/down/weight")) {
    deviation /= std::sqrt(2.0 * static_cast<double>(config.layers));
  }
  return deviation;
}

}  // namespace

std::vector<ParameterSpec> parameter_specs(const ModelConfig& c) {
  std::vector<ParameterSpec> specs;
  specs.push_back({"embedding/token", whole({c.vocabulary, c.width})});
  if (c.position == PositionKind::learned) {
    specs.push_back({"embedding/position", whole({c.context, c.width})});
  }
  const bool qkv_bias = c.attention_bias != AttentionBias::none;
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string block = fmt::format("blocks/{:03}/", layer);
    add_norm(specs, block + "attention_norm", c);
    add_linear(specs, block + "attention/query", c.query_width(), c.width, qkv_bias);
    add_linear(specs, block + "attention/key", c.kv_width(), c.width, qkv_bias);
    add_linear(specs, block + "attention/value", c.kv_width(), c.width, qkv_bias);
    add_linear(specs, block + "attention/output", c.width, c.query_width(),
               c.attention_bias == AttentionBias::all);
    add_norm(specs, block + "mlp_norm", c);
    if (c.activation == ActivationKind::gated_silu) {
      add_linear(specs, block + "mlp/gate", c.mlp_width, c.width, c.mlp_bias);
    }
    add_linear(specs, block + "mlp/up", c.mlp_width, c.width, c.mlp_bias);
    add_linear(specs, block + "mlp/down", c.width, c.mlp_width, c.mlp_bias);
  }
  add_norm(specs, "final_norm", c);
  if (c.kind != ModelKind::language) {
    add_linear(specs, "head", 1, c.width, true);
  } else if (!c.tied) {
    add_linear(specs, "head", c.vocabulary, c.width, false);
  }
  return specs;
}

std::vector<ParameterSpec> gradient_specs(std::vector<ParameterSpec> specs) {
  const auto find = [&](std::string_view name) {
    return std::ranges::find(specs, name, &ParameterSpec::name);
  };
  if (const auto token = find("embedding/token");
      token != specs.end() && find("head/weight") == specs.end()) {
    ParameterSpec rows = *token;
    rows.name = embedded_rows_gradient;
    specs.push_back(std::move(rows));
  }
  return specs;
}

std::int64_t parameter_count(const ModelConfig& config) {
  std::int64_t count = 0;
  for (const ParameterSpec& spec : parameter_specs(config)) {
    count += spec.shard.global_numel();
  }
  return count;
}

Parameters::Parameters(Device& device, std::vector<ParameterSpec> specs, MemoryUse use)
    : device_(&device), specs_(std::move(specs)), packs_(specs_.size()), rounded_(specs_.size()) {
  std::int64_t end = 0;
  for (const ParameterSpec& spec : specs_) {
    Shape shape;
    for (const std::int64_t extent : spec.shard.extent) {
      shape.append(extent);
    }
    shapes_.push_back(shape);
    offsets_.push_back(end);
    end += (shape.numel() + alignment - 1) / alignment * alignment;
  }
  offsets_.push_back(end);
  try {
    buffer_ = device.zeros(Shape{end}, DType::f32, use);
  } catch (const OutOfMemory& error) {
    throw with_fitting_model(error, device, specs_);
  }
}

int Parameters::find(std::string_view name) const {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].name == name) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

int Parameters::index_of(std::string_view name) const {
  const int index = find(name);
  require(index >= 0, "The model has no tensor `{}`.", name);
  return index;
}

const Pack& Parameters::packed(int index, PackFor purpose) const {
  const auto copy = device_->backend().one_pack ? 0 : static_cast<std::size_t>(purpose);
  VersionedPack& entry = packs_[static_cast<std::size_t>(index)][copy];
  if (entry.version != version_) {
    entry.pack = device_->backend().pack_weight(device_->queue(), at(index), purpose,
                                                device_->precision(), std::move(entry.pack));
    entry.version = version_;
  }
  return entry.pack;
}

ConstView Parameters::rounded(int index, DType precision) const {
  if (index < 0 || precision == DType::f32) {
    return index < 0 ? ConstView{} : at(index);
  }
  VersionedTensor& entry = rounded_[static_cast<std::size_t>(index)];
  if (entry.version != version_) {
    if (entry.tensor.empty()) {
      entry.tensor = Tensor(device_->queue().memory(), at(index).shape(), precision,
                            MemoryUse::packed_weights);
    }
    device_->backend().copy(device_->queue(), entry.tensor.view(), at(index));
    entry.version = version_;
  }
  return entry.tensor.view();
}

void initialize(Parameters& parameters, const ModelConfig& config, std::uint64_t seed,
                Device& device) {
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    const ParameterSpec& spec = parameters.specs()[i];
    View tensor = parameters.at(static_cast<int>(i));
    if (spec.is_matrix()) {
      fill_normal(tensor, spec.name, deviation_of(spec.name, tensor.shape(), config), seed, device);
    } else {
      const bool norm_weight = spec.name.ends_with("norm/weight");
      device.backend().fill(device.queue(), tensor, norm_weight ? 1.0 : 0.0);
    }
  }
  if (config.kind != ModelKind::language) {
    initialize_scalar_head(parameters, config, seed, device);
  }
  parameters.changed();
}

void initialize_scalar_head(Parameters& parameters, const ModelConfig& config, std::uint64_t seed,
                            Device& device) {
  fill_normal(parameters.at("head/weight"), "head/weight",
              1.0 / std::sqrt(static_cast<double>(config.width + 1)), seed, device);
  device.backend().fill(device.queue(), parameters.at("head/bias"), 0.0);
  parameters.changed();
}

}  // namespace precis
