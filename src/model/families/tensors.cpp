#include <fmt/format.h>

#include "base/error.hpp"
#include "model/families/family.hpp"

namespace precis {
namespace {

std::string with_layer(std::string pattern, const std::string& number) {
  if (const auto place = pattern.find("{}"); place != std::string::npos) {
    pattern.replace(place, 2, number);
  }
  return pattern;
}

bool has_layer(const std::string& pattern) { return pattern.find("{}") != std::string::npos; }

/// The rule's tensor in one layer; nothing where the model has none of its parts.
std::optional<FamilyTensor> located(const Family& family, const FamilyTensorRule& rule,
                                    std::int64_t layer, const Parameters& parameters) {
  FamilyTensor tensor;
  tensor.name = with_layer(rule.name, fmt::to_string(layer));
  tensor.full_name = (rule.in_body ? family.body_prefix : "") + tensor.name;
  tensor.layout = rule.layout;
  std::int64_t out = 0;
  std::int64_t in = 0;
  bool matrix = false;
  for (const std::string& pattern : rule.parts) {
    const int part = parameters.find(with_layer(pattern, fmt::format("{:03}", layer)));
    if (part < 0) {
      return std::nullopt;
    }
    const Shape shape = parameters.at(part).shape();
    tensor.parts.push_back(part);
    out += shape[0];
    matrix = shape.rank() == 2;
    in = matrix ? shape[1] : 1;
  }
  if (!matrix) {
    tensor.layout = MatrixLayout::out_in;
    tensor.shape = {out};
  } else if (tensor.layout == MatrixLayout::out_in) {
    tensor.shape = {out, in};
  } else {
    tensor.shape = {in, out};
  }
  return tensor;
}

/// Visits the elements of a tensor: visit(part, first element of the part's row, its place in the
/// family's tensor, the distance to the row's next element there).
template <class Visit>
void for_each_row(const FamilyTensor& tensor, const Parameters& parameters, const Visit& visit) {
  const bool transposed = tensor.layout == MatrixLayout::in_out;
  const std::int64_t out_total = transposed ? tensor.shape[1] : tensor.shape[0];
  std::int64_t begin = 0;
  for (std::size_t p = 0; p < tensor.parts.size(); ++p) {
    const Shape shape = parameters.at(tensor.parts[p]).shape();
    const std::int64_t in = shape.row_numel();
    for (std::int64_t o = 0; o < shape[0]; ++o) {
      const std::int64_t row = begin + o;
      visit(p, o * in, transposed ? row : row * in, transposed ? out_total : 1, in);
    }
    begin += shape[0];
  }
}

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

}  // namespace

std::vector<std::string> expanded(const std::string& pattern, std::int64_t layers) {
  if (!has_layer(pattern)) {
    return {pattern};
  }
  std::vector<std::string> names;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    names.push_back(with_layer(pattern, fmt::to_string(layer)));
  }
  return names;
}

std::vector<FamilyTensor> family_tensors(const Family& family, const ModelConfig& config,
                                         const Parameters& parameters) {
  std::vector<FamilyTensor> tensors;
  for (const FamilyTensorRule& rule : family.tensors) {
    const std::int64_t layers = has_layer(rule.name) ? config.layers : 1;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      if (auto tensor = located(family, rule, layer, parameters)) {
        tensors.push_back(std::move(*tensor));
      }
    }
  }
  return tensors;
}

std::vector<float> gather_parts(const FamilyTensor& tensor, const Parameters& parameters,
                                Device& device) {
  std::vector<std::vector<float>> parts;
  std::size_t count = 0;
  for (const int part : tensor.parts) {
    parts.push_back(device.to_host<float>(parameters.at(part)));
    count += parts.back().size();
  }
  std::vector<float> values(count);
  for_each_row(tensor, parameters,
               [&](std::size_t part, std::int64_t from, std::int64_t to, std::int64_t stride,
                   std::int64_t in) {
                 for (std::int64_t i = 0; i < in; ++i) {
                   values[at(to + i * stride)] = parts[part][at(from + i)];
                 }
               });
  return values;
}

void scatter_parts(const FamilyTensor& tensor, std::span<const float> values,
                   Parameters& parameters, Device& device) {
  std::vector<std::vector<float>> parts;
  for (const int part : tensor.parts) {
    parts.emplace_back(at(parameters.at(part).numel()));
  }
  for_each_row(tensor, parameters,
               [&](std::size_t part, std::int64_t to, std::int64_t from, std::int64_t stride,
                   std::int64_t in) {
                 for (std::int64_t i = 0; i < in; ++i) {
                   parts[part][at(to + i)] = values[at(from + i * stride)];
                 }
               });
  for (std::size_t p = 0; p < parts.size(); ++p) {
    View to = parameters.at(tensor.parts[p]);
    device.backend().copy_to_device(device.queue(), to, view_of(parts[p].data(), to.shape()));
  }
}

}  // namespace precis
