#include "model/model_parallel.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace precis {
namespace {

/// Responses are about a quarter of the tokens that pass through the blocks.
constexpr double share_with_output = 0.25;

/// Multiplications for a token in one block.
double block_cost(const ModelConfig& c) {
  const double attention =
      static_cast<double>(c.width) * static_cast<double>(2 * c.query_width() + 2 * c.kv_width());
  const double matrices = c.activation == ActivationKind::gated_silu ? 3 : 2;
  return attention + matrices * static_cast<double>(c.width) * static_cast<double>(c.mlp_width);
}

double output_cost(const ModelConfig& c) {
  return c.kind == ModelKind::language
             ? share_with_output * static_cast<double>(c.width) * static_cast<double>(c.vocabulary)
             : 0.0;
}

std::vector<LayerRange> ranges_of(const std::vector<std::int64_t>& sizes) {
  std::vector<LayerRange> ranges;
  std::int64_t first = 0;
  for (const std::int64_t size : sizes) {
    ranges.push_back({.first = first, .last = first + size});
    first += size;
  }
  return ranges;
}

}  // namespace

std::vector<LayerRange> cut_stages(const ModelConfig& config, int stages) {
  if (stages > config.layers) {
    fail_usage(
        "pp = {} asks for more stages than the model has blocks: {}. Give pp at most {}, and the "
        "other ranks to dp or tp.",
        stages, config.layers, config.layers);
  }
  if (stages == 1) {
    return {{.first = 0, .last = config.layers}};
  }
  const double block = block_cost(config);
  const double output = output_cost(config);
  const auto most = [&](std::int64_t last) {
    const std::int64_t others = (config.layers - last + stages - 2) / (stages - 1);
    return std::max(static_cast<double>(others) * block,
                    static_cast<double>(last) * block + output);
  };
  std::int64_t best = 1;
  for (std::int64_t last = 1; last <= config.layers - (stages - 1); ++last) {
    if (most(last) <= most(best)) {
      best = last;
    }
  }
  std::vector<std::int64_t> sizes;
  for (int stage = 0; stage < stages - 1; ++stage) {
    const std::int64_t left = config.layers - best;
    sizes.push_back(left / (stages - 1) + (stage < left % (stages - 1) ? 1 : 0));
  }
  sizes.push_back(best);
  return ranges_of(sizes);
}

std::vector<LayerRange> given_stages(std::string_view text, const ModelConfig& config, int stages) {
  std::vector<std::int64_t> sizes;
  std::int64_t sum = 0;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = trimmed(rest.substr(0, comma));
    std::int64_t size = 0;
    const auto [end, code] = std::from_chars(item.data(), item.data() + item.size(), size);
    if (code != std::errc{} || end != item.data() + item.size() || size < 1 ||
        size > config.layers) {
      fail_usage("parallel.stages = {}: '{}' is not a number of blocks from 1 to {}.", text, item,
                 config.layers);
    }
    sizes.push_back(size);
    sum += size;
    if (comma == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(comma + 1);
  }
  if (std::ssize(sizes) != stages || sum != config.layers) {
    fail_usage(
        "parallel.stages = {} is {} with {} in all, but the grid has {} and the model {}. Give the "
        "blocks of each stage, or leave it out: then they are cut by cost.",
        text, counted(std::ssize(sizes), "stage"), counted(sum, "block"), counted(stages, "stage"),
        counted(config.layers, "block"));
  }
  return ranges_of(sizes);
}

ModelPlace ModelRanks::place_of(const ModelConfig& of_model, int of_stage,
                                int of_tensor_rank) const {
  ModelConfig config = of_model;
  config.kind = as.value_or(config.kind);
  const std::vector<LayerRange> ranges =
      cut.empty() || stages == 1 ? cut_stages(config, stages) : given_stages(cut, config, stages);
  ModelPlace place{.stage = of_stage,
                   .stages = stages,
                   .layers = ranges.at(static_cast<std::size_t>(of_stage)),
                   .tensor_rank = of_tensor_rank,
                   .tensor_ranks = tensor_ranks,
                   .tensor_parts = tensor_parts};
  place.shares_embedding = stages > 1 && config.kind == ModelKind::language && config.tied &&
                           (place.is_first_stage() || place.is_last_stage());
  return place;
}

ModelParallel ModelRanks::of(const ModelConfig& config) const {
  return {.place = place_of(config, stage, tensor_rank), .pipeline = pipeline, .tensor = tensor};
}

ModelRanks model_ranks(ProcessGrid& grid, std::string cut, std::int64_t tensor_parts) {
  return {.stage = grid.coordinates().pp,
          .stages = grid.shape().pp,
          .cut = std::move(cut),
          .tensor_rank = grid.coordinates().tp,
          .tensor_ranks = grid.shape().tp,
          .tensor_parts = tensor_parts,
          .as = std::nullopt,
          .pipeline = grid.shape().pp > 1 ? &grid.pp() : nullptr,
          .tensor = grid.shape().tp > 1 ? &grid.tp() : nullptr};
}

}  // namespace precis
