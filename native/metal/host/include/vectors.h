#pragma once

// Vectors as classes, for kernels that run.

namespace metal {

/// Two to four elements. A vector of three takes the memory of four.
template <class T, int size>
struct alignas(sizeof(T) * (size == 3 ? 4 : size)) vec;

template <class T, int size, class V>
struct vec_operations {
  T& operator[](int i) { return static_cast<V*>(this)->elements()[i]; }
  const T& operator[](int i) const { return static_cast<const V*>(this)->elements()[i]; }

#define FTRANS_VECTOR_OPERATOR(op)                                           \
  friend V operator op(const V& a, const V& b) {                             \
    return generate<V>([&](int i) { return static_cast<T>(a[i] op b[i]); }); \
  }                                                                          \
  friend V operator op(const V& a, T b) {                                    \
    return generate<V>([&](int i) { return static_cast<T>(a[i] op b); });    \
  }                                                                          \
  friend V operator op(T a, const V& b) {                                    \
    return generate<V>([&](int i) { return static_cast<T>(a op b[i]); });    \
  }                                                                          \
  friend V& operator op## = (V & a, const V& b) { return a = a op b; }       \
  friend V& operator op## = (V & a, T b) { return a = a op b; }
  FTRANS_VECTOR_OPERATOR(+)
  FTRANS_VECTOR_OPERATOR(-)
  FTRANS_VECTOR_OPERATOR(*)
  FTRANS_VECTOR_OPERATOR(/)
  FTRANS_VECTOR_OPERATOR(%)
  FTRANS_VECTOR_OPERATOR(&)
  FTRANS_VECTOR_OPERATOR(|)
  FTRANS_VECTOR_OPERATOR(^)
  FTRANS_VECTOR_OPERATOR(<<)
  FTRANS_VECTOR_OPERATOR(>>)
#undef FTRANS_VECTOR_OPERATOR
#define FTRANS_VECTOR_COMPARISON(op)                           \
  friend vec<bool, size> operator op(const V& a, const V& b) { \
    vec<bool, size> result;                                    \
    for (int i = 0; i < size; ++i) result[i] = a[i] op b[i];   \
    return result;                                             \
  }
  FTRANS_VECTOR_COMPARISON(==)
  FTRANS_VECTOR_COMPARISON(!=)
  FTRANS_VECTOR_COMPARISON(<)
  FTRANS_VECTOR_COMPARISON(<=)
  FTRANS_VECTOR_COMPARISON(>)
  FTRANS_VECTOR_COMPARISON(>=)
#undef FTRANS_VECTOR_COMPARISON
  friend V operator-(const V& a) {
    return generate<V>([&](int i) { return static_cast<T>(-a[i]); });
  }
  friend V operator~(const V& a) {
    return generate<V>([&](int i) { return static_cast<T>(~a[i]); });
  }
};

template <class T>
struct alignas(2 * sizeof(T)) vec<T, 2> : vec_operations<T, 2, vec<T, 2>> {
  T x, y;
  vec() = default;
  vec(T all) : x(all), y(all) {}
  vec(T a, T b) : x(a), y(b) {}
  template <class U>
  explicit vec(const vec<U, 2>& v) : x(static_cast<T>(v.x)), y(static_cast<T>(v.y)) {}
  T* elements() { return &x; }
  const T* elements() const { return &x; }
};

template <class T>
struct alignas(4 * sizeof(T)) vec<T, 3> : vec_operations<T, 3, vec<T, 3>> {
  T x, y, z;
  vec() = default;
  vec(T all) : x(all), y(all), z(all) {}
  vec(T a, T b, T c) : x(a), y(b), z(c) {}
  vec(const vec<T, 2>& v, T c) : x(v.x), y(v.y), z(c) {}
  template <class U>
  explicit vec(const vec<U, 3>& v) : x(static_cast<T>(v.x)), y(static_cast<T>(v.y)), z(static_cast<T>(v.z)) {}
  T* elements() { return &x; }
  const T* elements() const { return &x; }
};

template <class T>
struct alignas(4 * sizeof(T)) vec<T, 4> : vec_operations<T, 4, vec<T, 4>> {
  T x, y, z, w;
  vec() = default;
  vec(T all) : x(all), y(all), z(all), w(all) {}
  vec(T a, T b, T c, T d) : x(a), y(b), z(c), w(d) {}
  vec(const vec<T, 2>& v, const vec<T, 2>& u) : x(v.x), y(v.y), z(u.x), w(u.y) {}
  vec(const vec<T, 3>& v, T d) : x(v.x), y(v.y), z(v.z), w(d) {}
  template <class U>
  explicit vec(const vec<U, 4>& v)
      : x(static_cast<T>(v.x)), y(static_cast<T>(v.y)), z(static_cast<T>(v.z)), w(static_cast<T>(v.w)) {}
  T* elements() { return &x; }
  const T* elements() const { return &x; }
};

}  // namespace metal
