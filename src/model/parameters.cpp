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

/// Which indices of an axis a rank holds, of how many.
struct Part {
  std::int64_t all = 0;
  IndexRange mine;

  explicit Part(std::int64_t size) : all(size), mine{0, size} {}
  Part(std::int64_t size, const IndexRange& range, std::int64_t unit = 1)
      : all(size), mine{range.begin * unit, range.end * unit} {}
};

/// Adds the tensors of a place, one by one.
class SpecList {
 public:
  explicit SpecList(const ModelPlace& place) : place_(place) {}

  /// `replica`: how many lower ranks of tensor parallelism hold the same box.
  void add(const std::string& name, const std::vector<Part>& axes, int replica) {
    Shard shard;
    for (const Part& axis : axes) {
      shard.global_shape.push_back(axis.all);
      shard.offset.push_back(axis.mine.begin);
      shard.extent.push_back(axis.mine.size());
    }
    shard.replica = replica;
    specs_.push_back({name, std::move(shard)});
  }
  /// A tensor that each rank of tensor parallelism holds whole.
  void add_whole(const std::string& name, const std::vector<Part>& axes) {
    add(name, axes, place_.tensor_rank);
  }
  /// A product whose results are divided among the ranks, or not at all.
  void add_by_rows(const std::string& name, const Part& out, std::int64_t in, bool bias,
                   int replica = 0) {
    add(name + "/weight", {out, Part(in)}, replica);
    if (bias) {
      add(name + "/bias", {out}, replica);
    }
  }
  /// A product whose terms are divided: the bias is added to the whole sum.
  void add_by_columns(const std::string& name, std::int64_t out, const Part& in, bool bias) {
    add(name + "/weight", {Part(out), in}, 0);
    if (bias) {
      add_whole(name + "/bias", {Part(out)});
    }
  }
  void add_norm(const std::string& name, const ModelConfig& config) {
    add_whole(name + "/weight", {Part(config.width)});
    if (config.norm == NormKind::layer_norm) {
      add_whole(name + "/bias", {Part(config.width)});
    }
  }

  [[nodiscard]] std::vector<ParameterSpec> take() { return std::move(specs_); }

 private:
  const ModelPlace& place_;
  std::vector<ParameterSpec> specs_;
};

/// The numbers [first, first + count) of a tensor, each N(0, deviation) and a function of (seed,
/// name, its index).
void draw_normal(float* out, std::int64_t first, std::int64_t count, std::uint64_t name,
                 double deviation, std::uint64_t seed) {
  const std::int64_t end = first + count;
  // A block of random bits gives two numbers.
  const std::int64_t first_block = first / 2;
  const std::int64_t end_block = (end + 1) / 2;
#pragma omp parallel for schedule(static)
  for (std::int64_t block = first_block; block < end_block; ++block) {
    const auto normals = normals_from(random_block(seed, Purpose::initial_weights, name,
                                                   static_cast<std::uint32_t>(block >> 32),
                                                   static_cast<std::uint32_t>(block)));
    for (const std::int64_t index : {2 * block, 2 * block + 1}) {
      if (index >= first && index < end) {
        out[index - first] =
            static_cast<float>(deviation * normals[static_cast<std::size_t>(index % 2)]);
      }
    }
  }
}

/// The box of a matrix that is N(0, deviation).
void fill_normal(View tensor, const ParameterSpec& spec, double deviation, std::uint64_t seed,
                 Device& device) {
  std::vector<float> host(static_cast<std::size_t>(tensor.numel()));
  const std::uint64_t name = name_number(spec.name);
  const Shard& shard = spec.shard;
  const std::int64_t columns = shard.global_shape[1];
  if (shard.extent[1] == columns) {
    draw_normal(host.data(), shard.offset[0] * columns, tensor.numel(), name, deviation, seed);
  } else {
    for (std::int64_t row = 0; row < shard.extent[0]; ++row) {
      draw_normal(host.data() + row * shard.extent[1],
                  (shard.offset[0] + row) * columns + shard.offset[1], shard.extent[1], name,
                  deviation, seed);
    }
  }
  device.backend().copy_to_device(device.queue(), tensor, view_of(host.data(), tensor.shape()));
}

double deviation_of(const ParameterSpec& spec, const ModelConfig& config) {
  const std::string& name = spec.name;
  const bool embedding = name.starts_with("embedding/");
  double deviation = 0.02;
  if (config.init == Initialization::scaled) {
    deviation = embedding ? 0.08 : 1.0 / std::sqrt(static_cast<double>(spec.shard.global_shape[1]));
  }
  if (name.ends_with("attention/output/weight") || name.ends_with("mlp/down/weight")) {
    deviation /= std::sqrt(2.0 * static_cast<double>(config.layers));
  }
  return deviation;
}

}  // namespace

std::vector<ParameterSpec> parameter_specs(const ModelConfig& c, const ModelPlace& place) {
  const TensorShare share = place.share(c);
  const Part vocabulary(c.vocabulary, share.vocabulary);
  const Part query(c.query_width(), share.heads.query, c.head_dim);
  const Part kv(c.kv_width(), share.heads.kv, c.head_dim);
  const Part mlp(c.mlp_width, share.mlp);
  SpecList specs(place);
  if (place.is_first_stage() || place.shares_embedding) {
    specs.add("embedding/token", {vocabulary, Part(c.width)}, place.is_first_stage() ? 0 : 1);
  }
  if (place.is_first_stage() && c.position == PositionKind::learned) {
    specs.add_whole("embedding/position", {Part(c.context), Part(c.width)});
  }
  const bool qkv_bias = c.attention_bias != AttentionBias::none;
  const std::int64_t last_layer = std::min(place.layers.last, c.layers);
  for (std::int64_t layer = place.layers.first; layer < last_layer; ++layer) {
    const std::string block = fmt::format("blocks/{:03}/", layer);
    specs.add_norm(block + "attention_norm", c);
    specs.add_by_rows(block + "attention/query", query, c.width, qkv_bias);
    specs.add_by_rows(block + "attention/key", kv, c.width, qkv_bias, share.kv_holder);
    specs.add_by_rows(block + "attention/value", kv, c.width, qkv_bias, share.kv_holder);
    specs.add_by_columns(block + "attention/output", c.width, query,
                         c.attention_bias == AttentionBias::all);
    specs.add_norm(block + "mlp_norm", c);
    if (c.activation == ActivationKind::gated_silu) {
      specs.add_by_rows(block + "mlp/gate", mlp, c.width, c.mlp_bias);
    }
    specs.add_by_rows(block + "mlp/up", mlp, c.width, c.mlp_bias);
    specs.add_by_columns(block + "mlp/down", c.width, mlp, c.mlp_bias);
  }
  if (!place.is_last_stage()) {
    return specs.take();
  }
  specs.add_norm("final_norm", c);
  if (c.kind != ModelKind::language) {
    specs.add_by_rows("head", Part(1), c.width, true, place.tensor_rank);
  } else if (!c.tied) {
    specs.add_by_rows("head", vocabulary, c.width, false);
  }
  return specs.take();
}

std::vector<ParameterSpec> gradient_specs(std::vector<ParameterSpec> specs,
                                          const ModelPlace& place) {
  const auto find = [&](std::string_view name) {
    return std::ranges::find(specs, name, &ParameterSpec::name);
  };
  const bool tied = place.stages == 1 ? find("head/weight") == specs.end() : place.shares_embedding;
  if (const auto token = find("embedding/token"); token != specs.end() && tied) {
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

std::vector<std::int64_t> flat_offsets(const std::vector<ParameterSpec>& specs) {
  std::vector<std::int64_t> offsets{0};
  for (const ParameterSpec& spec : specs) {
    offsets.push_back(offsets.back() +
                      (spec.shard.numel() + alignment - 1) / alignment * alignment);
  }
  return offsets;
}

Parameters::Parameters(Device& device, std::vector<ParameterSpec> specs, MemoryUse use,
                       const ModelParallel& parallel)
    : device_(&device),
      parallel_(parallel),
      specs_(std::move(specs)),
      offsets_(flat_offsets(specs_)),
      packs_(specs_.size()),
      rounded_(specs_.size()) {
  for (const ParameterSpec& spec : specs_) {
    Shape shape;
    for (const std::int64_t extent : spec.shard.extent) {
      shape.append(extent);
    }
    shapes_.push_back(shape);
  }
  try {
    buffer_ = device.zeros(Shape{offsets_.back()}, DType::f32, use);
  } catch (const OutOfMemory& error) {
    if (use == MemoryUse::optimizer_state) {
      throw;  // perhaps of a part of the model: the optimizer knows more
    }
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
      fill_normal(tensor, spec, deviation_of(spec, config), seed, device);
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
  if (!parameters.parallel().place.is_last_stage()) {
    return;
  }
  const int weight = parameters.find("head/weight");
  fill_normal(parameters.at(weight), parameters.specs()[static_cast<std::size_t>(weight)],
              1.0 / std::sqrt(static_cast<double>(config.width + 1)), seed, device);
  device.backend().fill(device.queue(), parameters.at("head/bias"), 0.0);
  parameters.changed();
}

}  // namespace precis
