import './check-layers.js';
