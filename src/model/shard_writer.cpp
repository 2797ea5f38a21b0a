#include "model/shard_writer.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>

#include "model/owned_rows.hpp"
#include "parallel/collectively.hpp"

namespace precis {
namespace {

constexpr int request_tag = 5;
constexpr int box_tag = 6;

/// What the writing rank tells an owner; both outlive every message.
constexpr std::int64_t go_on = 1;
constexpr std::int64_t let_go = 0;

ConstView view_of_number(const std::int64_t& number) { return view_of(&number, Shape{1}); }

/// Copies a box of at most two axes to its place in the whole tensor.
void put(std::vector<float>& whole, const Shard& shard, const std::vector<float>& box) {
  const auto last = shard.extent.size() - 1;
  const std::int64_t columns = shard.extent[last];
  const std::int64_t all_columns = shard.global_shape[last];
  const std::int64_t rows = columns == 0 ? 0 : std::ssize(box) / columns;
  const std::int64_t first_row = last == 0 ? 0 : shard.offset[0];
  for (std::int64_t row = 0; row < rows; ++row) {
    std::copy_n(box.begin() + row * columns, columns,
                whole.begin() + (first_row + row) * all_columns + shard.offset[last]);
  }
}

}  // namespace

ShardWriter::ShardWriter(StateWriter* file, Device& device, ProcessGrid& grid,
                         const ModelRanks& ranks)
    : file_(file), device_(device), grid_(grid), ranks_(ranks) {}

ShardWriter::~ShardWriter() {
  try {
    end();
  } catch (const std::exception& error) {
    // Nobody can be told any more; the ranks that wait for this one are ended by the watchdog.
    std::fprintf(stderr, "%s\n", error.what());
  }
}

void ShardWriter::end() {
  Communicator& all = grid_.all();
  if (all.rank() == 0) {
    // Also where this rank fails: the owners must not wait.
    for (int rank = 1; rank < all.size(); ++rank) {
      all.send(device_.queue(), view_of_number(let_go), rank, request_tag);
    }
  } else if (!served_ && !unwinding_.now()) {
    (void)next_request();
  }
}

std::int64_t ShardWriter::next_request() {
  std::int64_t request = let_go;
  grid_.all().receive(device_.queue(), view_of(&request, Shape{1}), 0, request_tag);
  return request;
}

void ShardWriter::part(std::string_view part, const Model& model) {
  this->part(part, model.config, model.tokenizer, model.parameters);
}

void ShardWriter::part(std::string_view part, const ModelConfig& config,
                       const std::vector<std::uint8_t>& tokenizer, const Parameters& parameters) {
  if (file_ != nullptr) {
    write_model_head(*file_, part, to_json(config), tokenizer);
  }
  tensors(part, weight_path, config, parameters);
}

void ShardWriter::tensors(std::string_view part, TensorPath path_of, const ModelConfig& config,
                          const Parameters& tensors, Held held) {
  const auto pieces = file_ != nullptr ? pieces_of(config, held) : Pieces{};
  for (const ParameterSpec& spec : parameter_specs(config)) {
    if (file_ != nullptr) {
      gather(path_of(part, spec.name), spec, pieces.at(spec.name), tensors);
    } else if (!served_ && gives(grid_.all().rank(), held)) {
      serve(spec.name, tensors);
    }
  }
}

ShardWriter::Pieces ShardWriter::pieces_of(const ModelConfig& config, Held held) const {
  Pieces pieces;
  for (int rank = 0; rank < grid_.all().size() && gives(rank, held); ++rank) {
    const GridCoordinates at = coordinates_of(rank, grid_.shape());
    auto specs = parameter_specs(config, ranks_.place_of(config, at.pp, at.tp));
    if (held == Held::by_owners) {
      specs = owned_specs(specs, at.dp, grid_.shape().dp);
    }
    for (const ParameterSpec& spec : specs) {
      if (spec.shard.replica == 0) {
        pieces[spec.name].push_back({.rank = rank, .shard = spec.shard});
      }
    }
  }
  return pieces;
}

void ShardWriter::gather(const std::string& path, const ParameterSpec& whole,
                         const std::vector<Piece>& pieces, const Parameters& tensors) {
  Communicator& all = grid_.all();
  std::vector<float> numbers;
  for (const Piece& piece : pieces) {
    std::vector<float> box;
    if (piece.rank == all.rank()) {
      box = device_.to_host<float>(tensors.at(whole.name));
    } else {
      box.resize(static_cast<std::size_t>(piece.shard.numel()));
      all.send(device_.queue(), view_of_number(go_on), piece.rank, request_tag);
      all.receive(device_.queue(), view_of(box), piece.rank, box_tag);
    }
    if (piece.shard.is_whole()) {
      numbers = std::move(box);
    } else {
      numbers.resize(static_cast<std::size_t>(whole.shard.numel()));
      put(numbers, piece.shard, box);
    }
  }
  Shape shape;
  for (const std::int64_t extent : whole.shard.global_shape) {
    shape.append(extent);
  }
  file_->tensor(path, view_of(numbers.data(), shape), whole.shard);
}

void ShardWriter::serve(const std::string& name, const Parameters& tensors) {
  const int index = tensors.find(name);
  if (index < 0 || tensors.specs()[static_cast<std::size_t>(index)].shard.replica != 0) {
    return;
  }
  if (next_request() == let_go) {
    served_ = true;
    return;
  }
  // From where it is: nothing is taken that could fail while the writing rank waits.
  grid_.all().send(device_.queue(), tensors.at(index), 0, box_tag);
}

void save_model(RankGroup& world, const std::filesystem::path& path, Device& device,
                ProcessGrid& grid, const ModelRanks& ranks, const ModelConfig& config,
                const std::vector<std::uint8_t>& tokenizer, const Parameters& parameters) {
  std::optional<StateWriter> file;
  collectively(world, [&] {
    if (world.rank() == 0) {
      file.emplace(path, model_format);
    }
  });
  collectively(world, [&] {
    ShardWriter(file ? &*file : nullptr, device, grid, ranks)
        .part("", config, tokenizer, parameters);
  });
  collectively(world, [&] {
    if (file) {
      file->commit();
    }
  });
}

}  // namespace precis
