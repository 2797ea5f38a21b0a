// The parameters of a model by name: one flat buffer, the shard each tensor is, and packs for
// products.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "device/device.hpp"
#include "model/config.hpp"
#include "model/model_parallel.hpp"
#include "parallel/shard.hpp"

namespace precis {

/// A tensor of a model: its name in the model file, and the box of it that this rank holds.
struct ParameterSpec {
  std::string name;
  Shard shard;

  /// Weight decay applies to tensors with two axes only.
  [[nodiscard]] bool is_matrix() const { return shard.global_shape.size() == 2; }
};

/// Every tensor of a model that a rank at this place holds, in the order of the model file
/// (CONTRACT section 4). An absent one (tied head, no bias) is left out. Of several ranks that hold
/// the same box, all but one have a replica number above 0.
[[nodiscard]] std::vector<ParameterSpec> parameter_specs(const ModelConfig& config,
                                                         const ModelPlace& place = {});

/// A last tensor of gradients, for models whose output matrix is their token embedding: what the
/// embedding's rows add to. The head adds to "embedding/token" before the blocks' backward pass and
/// the rows after it, so that in one tensor a sum's order would depend on the micro-batches.
inline constexpr const char* embedded_rows_gradient = "embedding/token, embedded rows";
/// The tensors of gradients in which each of the two has a sum of its own: the `specs` of the
/// parameters and, where the head is tied, `embedded_rows_gradient`. After the last micro-batch it
/// must be added to "embedding/token": on the first and the last of several stages, each of which
/// has one of the two sums.
[[nodiscard]] std::vector<ParameterSpec> gradient_specs(std::vector<ParameterSpec> specs,
                                                        const ModelPlace& place);

/// Where tensors begin that lie end to end in one buffer, each at a multiple of 16 elements, and
/// the end.
[[nodiscard]] std::vector<std::int64_t> flat_offsets(const std::vector<ParameterSpec>& specs);

/// Named tensors in one flat f32 buffer: a model's parameters, a moment of Adam, of all of them or
/// of what this rank owns (`owned_specs`), or gradients, which may have one tensor more at the end
/// (`gradient_specs`). As parameters they also keep packed copies of matrices and rounded ones of
/// biases, made anew when the version says that the weights have changed.
class Parameters {
 public:
  /// Zeros; `specs` are of the place in `parallel`. Throws OutOfMemory.
  Parameters(Device& device, std::vector<ParameterSpec> specs,
             MemoryUse use = MemoryUse::parameters, const ModelParallel& parallel = {});

  [[nodiscard]] const std::vector<ParameterSpec>& specs() const noexcept { return specs_; }
  /// Which part of the model this is, and who has the others.
  [[nodiscard]] const ModelParallel& parallel() const noexcept { return parallel_; }
  /// The place of a name in specs(); -1 when there is none.
  [[nodiscard]] int find(std::string_view name) const;

  [[nodiscard]] View at(int index) { return view(index, buffer_.view()); }
  [[nodiscard]] ConstView at(int index) const { return view(index, buffer_.view()); }
  /// Throws Error for a name that the model does not have.
  [[nodiscard]] View at(std::string_view name) { return at(index_of(name)); }
  [[nodiscard]] ConstView at(std::string_view name) const { return at(index_of(name)); }

  /// All tensors, at their `flat_offsets`; the gaps hold zeros.
  [[nodiscard]] View flat() noexcept { return buffer_.view(); }
  [[nodiscard]] ConstView flat() const noexcept { return buffer_.view(); }
  /// The part of flat() that the tensors [begin, end) fill, their gaps included.
  [[nodiscard]] View flat_parts(int begin, int end) {
    return buffer_.view().rows(offsets_[static_cast<std::size_t>(begin)],
                               offsets_[static_cast<std::size_t>(end)]);
  }

  /// Counts changes of the weights; whoever writes weights calls changed().
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  void changed() noexcept { ++version_; }

  /// Matrix `index` in the backend's layout, made when it is first asked for at this version.
  [[nodiscard]] const Pack& packed(int index, PackFor purpose) const;
  /// Tensor `index` in `precision`, f32 or the device's: rounded when it is first asked for at this
  /// version. Empty for index -1.
  [[nodiscard]] ConstView rounded(int index, DType precision) const;

 private:
  struct VersionedPack {
    Pack pack;
    std::uint64_t version = 0;
  };
  struct VersionedTensor {
    Tensor tensor;
    std::uint64_t version = 0;
  };

  [[nodiscard]] int index_of(std::string_view name) const;
  template <class Byte>
  [[nodiscard]] BasicView<Byte> view(int index, BasicView<Byte> flat) const {
    const auto i = static_cast<std::size_t>(index);
    return flat.rows(offsets_[i], offsets_[i] + shapes_[i].numel()).reshaped(shapes_[i]);
  }

  Device* device_;
  ModelParallel parallel_;
  std::vector<ParameterSpec> specs_;
  std::vector<Shape> shapes_;
  std::vector<std::int64_t> offsets_;  // of each tensor in the buffer, and the end
  Tensor buffer_;
  std::uint64_t version_ = 1;
  mutable std::vector<std::array<VersionedPack, 2>> packs_;
  mutable std::vector<VersionedTensor> rounded_;
};

/// Initial weights (RECIPE, "Models and stages"; CONTRACT, model.init), each element a function of
/// (seed, name, global index) only: N(0, deviation) for matrices and embeddings, output projections
/// divided by sqrt(2 layers), norms 1, biases 0. A scalar head is N(0, 1/(width + 1)) in variance
/// (Stiennon 2020).
void initialize(Parameters& parameters, const ModelConfig& config, std::uint64_t seed,
                Device& device);
/// The same for the scalar head only.
void initialize_scalar_head(Parameters& parameters, const ModelConfig& config, std::uint64_t seed,
                            Device& device);

}  // namespace precis
